import type { NodeFacts, NodeRecord, NodeState, SshTarget } from '../contracts/node.ts';
import type { Queryable } from './database.ts';
import { storableText, toJsonb } from './json.ts';

/** Notified with a node's name whenever its record changed. */
export const nodesChannel = 'helix_nodes';

interface NodeRow {
  name: string;
  ssh: SshTarget | null;
  host_key: string | null;
  slots: number;
  labels: Record<string, string>;
  facts: NodeFacts;
  state: NodeState;
  reason: string | null;
  probed_at: Date;
  busy: number;
}

/** `busy` is not stored but counted: the steps that run on the node. */
const selectNodes = `select nodes.*,
  (select count(*) from steps where steps.node = nodes.name and steps.state = 'running') as busy from nodes`;

/**
 * Writes a node's record, new or not. With `onlyKnown` a node that is not on record stays off it: a probe that ends after its
 * node was removed must not bring it back. Returns whether the record was written.
 */
export async function saveNode(
  database: Queryable,
  node: NodeRecord,
  options: { onlyKnown?: boolean } = {},
): Promise<boolean> {
  const { rowCount } = await database.query(
    `with saved as (
       insert into nodes (name, ssh, host_key, slots, labels, facts, state, reason, probed_at)
       select $1, $2::jsonb, $3, $4::integer, $5::jsonb, $6::jsonb, $7, $8, $9::timestamptz
       where not $10 or exists (select from nodes where name = $1)
       on conflict (name) do update set
         ssh = excluded.ssh, host_key = excluded.host_key, slots = excluded.slots, labels = excluded.labels,
         facts = excluded.facts, state = excluded.state, reason = excluded.reason, probed_at = excluded.probed_at
       returning name
     )
     select pg_notify($11, name) from saved`,
    [
      node.name,
      node.ssh ? toJsonb(node.ssh) : null,
      node.hostKey ?? null,
      node.slots,
      toJsonb(node.labels),
      toJsonb(node.facts),
      node.state,
      node.reason === undefined ? null : storableText(node.reason),
      node.probedAt,
      options.onlyKnown === true,
      nodesChannel,
    ],
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

/** Says whether the node is healthy, and if not, why. Notifies only of a change. Returns whether the node is on record. */
export async function setNodeState(
  database: Queryable,
  name: string,
  state: NodeState,
  reason?: string,
): Promise<boolean> {
  const { rowCount } = await database.query(
    `with before as (
       select name, state, reason from nodes where name = $1 for update
     ), changed as (
       update nodes set state = $2, reason = $3, probed_at = now() from before where nodes.name = before.name
       returning nodes.name, before.state is distinct from $2 or before.reason is distinct from $3 as differs
     )
     select case when differs then pg_notify($4, name) end from changed`,
    [name, state, reason === undefined ? null : storableText(reason), nodesChannel],
  );
  return rowCount === 1;
}

function toRecord(row: NodeRow): NodeRecord {
  return {
    name: row.name,
    ...(row.ssh ? { ssh: row.ssh } : {}),
    ...(row.host_key === null ? {} : { hostKey: row.host_key }),
    slots: row.slots,
    labels: row.labels,
    facts: row.facts,
    state: row.state,
    ...(row.reason === null ? {} : { reason: row.reason }),
    busy: row.busy,
    probedAt: row.probed_at.toISOString(),
  };
}
