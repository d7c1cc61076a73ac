import { overallState } from '../contracts/node-state.ts';
import type {
  NodeCondition,
  NodeFacts,
  NodeHold,
  NodeQuarantine,
  NodeReach,
  NodeRecord,
  NodeState,
  SshTarget,
} from '../contracts/node.ts';
import type { Queryable } from './database.ts';
import { storableText, toJsonb } from './json.ts';
import { type MetricsRow, toMetrics } from './node-metrics.ts';

/** Notified with a node's name whenever its record changed. */
export const nodesChannel = 'helix_nodes';

/** What is said of a node, beside its state. */
export type NodeDescription = Pick<
  NodeRecord,
  'name' | 'reach' | 'ssh' | 'hostKey' | 'slots' | 'labels' | 'facts' | 'probedAt'
>;

/** Parts of a node's standing; null takes one away. */
export interface StandingChange {
  condition?: NodeCondition;
  hold?: NodeHold | null;
  quarantine?: NodeQuarantine | null;
}

interface NodeRow {
  name: string;
  reach: NodeReach;
  ssh: SshTarget | null;
  host_key: string | null;
  slots: number;
  labels: Record<string, string>;
  facts: NodeFacts;
  state: NodeState;
  reason: string | null;
  state_since: Date;
  condition: NodeCondition;
  hold: NodeHold | null;
  quarantine: NodeQuarantine | null;
  probed_at: Date;
  busy: number;
  holder: string | null;
  metrics: MetricsRow | null;
}

/** `busy` is not stored but counted: the steps that run on the node. */
const selectNodes = `select nodes.*,
  (select count(*) from steps where steps.node = nodes.name and steps.state = 'running') as busy,
  (select id from node_pools where id = nodes.pool and expires_at > clock_timestamp()) as holder,
  (select to_jsonb(m) from worker_metrics m where m.node = nodes.name and period = 0 order by at desc limit 1) as metrics
  from nodes`;

/**
 * Puts a new, healthy node on record; with `holder` it belongs to a node-pool from the first moment, with `first` it must be the first of
 * the fleet. Returns false when it is not new, or not the first.
 */
export async function insertNode(
  database: Queryable,
  node: NodeDescription,
  { holder, first = false }: { holder?: { pool: string; registration: string }; first?: boolean } = {},
): Promise<boolean> {
  const { rowCount } = await database.query(
    `with saved as (
       insert into nodes (name, ssh, host_key, slots, labels, facts, state, probed_at, pool, registration, epoch, reach)
       select $1, $2::jsonb, $3, $4::integer, $5::jsonb, $6::jsonb, 'healthy', $7::timestamptz, $8,
         coalesce($9::uuid, gen_random_uuid()), 1, $12
       where not $10 or not exists (select from nodes)
       on conflict do nothing
       returning name
     )
     select pg_notify($11, name) from saved`,
    [...columnsOf(node), holder?.pool ?? null, holder?.registration ?? null, first, nodesChannel, node.reach],
  );
  return rowCount === 1;
}

/**
 * Writes what is said of a node by now. One that is not on record stays off it: a probe that ends after its node was removed must not bring it
 * back. Returns whether it is on record.
 */
export async function updateNode(database: Queryable, node: NodeDescription): Promise<boolean> {
  const { rowCount } = await database.query(
    `with saved as (
       update nodes set ssh = $2::jsonb, host_key = $3, slots = $4::integer, labels = $5::jsonb, facts = $6::jsonb,
         probed_at = $7::timestamptz
       where name = $1
       returning name
     )
     select pg_notify($8, name) from saved`,
    [...columnsOf(node), nodesChannel],
  );
  return rowCount === 1;
}

/** All nodes, by name. */
export async function listNodes(database: Queryable): Promise<NodeRecord[]> {
  const { rows } = await database.query<NodeRow>(`${selectNodes} order by name`);
  return rows.map(toRecord);
}

export async function getNode(database: Queryable, name: string): Promise<NodeRecord | undefined> {
  const { rows } = await database.query<NodeRow>(`${selectNodes} where name = $1`, [name]);
  return rows[0] && toRecord(rows[0]);
}

/** Returns whether the node was on record. */
export async function removeNode(database: Queryable, name: string): Promise<boolean> {
  const { rowCount } = await database.query(
    'with removed as (delete from nodes where name = $1 returning name) select pg_notify($2, name) from removed',
    [name, nodesChannel],
  );
  return rowCount === 1;
}

/**
 * Changes parts of a node's standing. A change of what they come to is an event of the node; it and any other change are notified of. With
 * `pool`, only as long as that node-pool holds the node. Returns the node's record, undefined when nothing was changed for want of a node.
 */
export async function changeStanding(
  database: Queryable,
  name: string,
  change: StandingChange,
  pool?: string,
): Promise<NodeRecord | undefined> {
  return await database.transaction(async (transaction) => {
    const { rows } = await transaction.query<NodeRow>(
      'select * from nodes where name = $1 and ($2::text is null or pool = $2) for update',
      [name, pool ?? null],
    );
    const before = rows[0];
    if (!before) return undefined;
    const condition = change.condition ?? before.condition;
    const hold = change.hold === undefined ? before.hold : change.hold;
    const quarantine = change.quarantine === undefined ? before.quarantine : change.quarantine;
    const { state, reason } = overallState({
      condition,
      hold: hold ?? undefined,
      quarantine: quarantine ?? undefined,
    });
    const stored = reason === undefined ? null : storableText(reason);
    const isEvent = state !== before.state || stored !== before.reason;
    const parts = [condition, hold, quarantine].map((part) => part && toJsonb(part));
    await transaction.query(
      `update nodes set condition = $2, hold = $3, quarantine = $4, state = $5, reason = $6,
         state_since = case when state = $5 then state_since else clock_timestamp() end
       where name = $1`,
      [name, ...parts, state, stored],
    );
    if (isEvent)
      await transaction.query(
        `insert into node_events (node, at, state, reason)
         select $1, case when $4 then state_since else clock_timestamp() end, $2, $3 from nodes where name = $1`,
        [name, state, stored, state !== before.state],
      );
    const old = [before.condition, before.hold, before.quarantine].map((part) => part && toJsonb(part));
    if (isEvent || parts.some((part, index) => part !== old[index]))
      await transaction.query('select pg_notify($1, $2)', [nodesChannel, name]);
    return await getNode(transaction, name);
  });
}

function columnsOf(node: NodeDescription): unknown[] {
  const { name, ssh, hostKey, slots, labels, facts, probedAt } = node;
  return [name, ssh ? toJsonb(ssh) : null, hostKey ?? null, slots, toJsonb(labels), toJsonb(facts), probedAt];
}

function toRecord(row: NodeRow): NodeRecord {
  return {
    name: row.name,
    reach: row.reach,
    ...(row.ssh ? { ssh: row.ssh } : {}),
    ...(row.host_key === null ? {} : { hostKey: row.host_key }),
    slots: row.slots,
    labels: row.labels,
    facts: row.facts,
    state: row.state,
    ...(row.reason === null ? {} : { reason: row.reason }),
    since: row.state_since.toISOString(),
    ...(row.hold ? { hold: row.hold } : {}),
    ...(row.quarantine ? { quarantine: row.quarantine } : {}),
    ...(row.holder === null ? {} : { pool: row.holder }),
    ...(row.metrics ? { metrics: toMetrics(row.metrics) } : {}),
    busy: row.busy,
    probedAt: row.probed_at.toISOString(),
  };
}
