import type { Database, Queryable } from './database.ts';
import { nodesChannel } from './nodes.ts';

/** A process that holds connections to nodes. */
export interface NodePool {
  id: string;
  /** Where processes have numbers of their own. */
  machine: string;
  pid: number;
}

/** Which of the node-pools that a node has belonged to one is. */
export interface NodeTenure {
  registration: string;
  epoch: number;
}

/** How the nodes are shared out. */
export interface Shares {
  /** Node-pools that are alive. */
  pools: number;
  nodes: number;
  mine: number;
  /** Nodes that no living node-pool holds and this one may have. */
  free: number;
}

const claimingLock = 7_405_129_303;

/** Holders that are alive; the clock is the database's alone. */
const living = 'select id from node_pools where expires_at > clock_timestamp()';

/** The controller's own machine can be had by the node-pools on it only. */
const allowed = `(reach <> 'local' or not labels ? 'host' or labels->>'host' = $2)`;

/** Says that the pool is alive for `forMs` from now on. */
export async function renewPool(database: Queryable, { id, machine, pid }: NodePool, forMs: number): Promise<void> {
  await database.query(
    `insert into node_pools (id, machine, pid, expires_at)
     values ($1, $2, $3, clock_timestamp() + $4 * interval '1 ms')
     on conflict (id) do update set expires_at = excluded.expires_at`,
    [id, machine, pid, forMs],
  );
}

/** The processes of other node-pools on a machine that have not expired. */
export async function listNeighbours(database: Queryable, { id, machine }: NodePool): Promise<NodePool[]> {
  const { rows } = await database.query<NodePool>(
    'select id, machine, pid from node_pools where machine = $2 and id <> $1 and expires_at > clock_timestamp()',
    [id, machine],
  );
  return rows;
}

/** Forgets a node-pool that has ended; its nodes are free, and everybody is told so. */
export async function dropPool(database: Queryable, id: string): Promise<void> {
  await database.query(
    `with dropped as (delete from node_pools where id = $1 returning id),
       old as (delete from node_pools where expires_at < clock_timestamp() - interval '1 day')
     select pg_notify($2, '') from dropped`,
    [id, nodesChannel],
  );
}

export async function readShares(database: Queryable, pool: string, host: string): Promise<Shares> {
  const { rows } = await database.query<Shares>(
    `with living as materialized (${living})
     select (select count(*) from living) as pools, count(*) as nodes, count(*) filter (where pool = $1) as mine,
       count(*) filter (where (pool is null or pool not in (select id from living)) and ${allowed}) as free
     from nodes`,
    [pool, host],
  );
  return rows[0]!;
}

/** Takes at most `limit` nodes that no living pool holds, those of this machine first and whatever the limit. Returns how many. */
export async function claimNodes(database: Database, pool: string, host: string, limit: number): Promise<number> {
  return await database.transaction(async (transaction) => {
    // In a statement of its own: the next one must see the claims of whoever held the lock before.
    await transaction.query('select pg_advisory_xact_lock($1)', [claimingLock]);
    const { rowCount } = await transaction.query(
      `with free as (
         select name, reach = 'local' as own, row_number() over (order by reach = 'local' desc, name) as place from nodes
         where (pool is null or pool not in (${living})) and ${allowed}
       )
       update nodes set pool = $1, epoch = epoch + 1 from free
       where nodes.name = free.name and (own or place <= $3)`,
      [pool, host, limit],
    );
    return rowCount;
  });
}

/** Takes one node, whoever may hold it. Returns undefined when it is not on record. */
export async function takeNode(database: Queryable, pool: string, name: string): Promise<NodeTenure | undefined> {
  const { rows } = await database.query<NodeTenure>(
    'update nodes set pool = $1, epoch = epoch + 1 where name = $2 returning registration, epoch',
    [pool, name],
  );
  return rows[0];
}

/** Gives up a node, and tells everybody that it can be had. */
export async function releaseNode(database: Queryable, pool: string, name: string): Promise<void> {
  await database.query(
    `with released as (update nodes set pool = null where name = $2 and pool = $1 returning name)
     select pg_notify($3, name) from released`,
    [pool, name, nodesChannel],
  );
}

/** The tenures of the nodes that a pool holds, by node. */
export async function listTenures(database: Queryable, pool: string): Promise<Map<string, NodeTenure>> {
  const { rows } = await database.query<NodeTenure & { name: string }>(
    'select name, registration, epoch from nodes where pool = $1',
    [pool],
  );
  return new Map(rows.map(({ name, registration, epoch }) => [name, { registration, epoch }]));
}

/** The living pool that holds a node; null when none does, undefined when the node is not on record. */
export async function holderOf(database: Queryable, name: string): Promise<string | null | undefined> {
  const { rows } = await database.query<{ holder: string | null }>(
    `select (select id from node_pools where id = nodes.pool and expires_at > clock_timestamp()) as holder
     from nodes where name = $1`,
    [name],
  );
  return rows[0]?.holder;
}

/** The registrations of all nodes that have joined by themselves. */
export async function listJoined(database: Queryable): Promise<Set<string>> {
  const { rows } = await database.query<{ registration: string }>(
    "select registration from nodes where reach = 'joined'",
  );
  return new Set(rows.map(({ registration }) => registration));
}

/** The node that joined under a registration, and whom it was leased to last. */
export async function findJoined(
  database: Queryable,
  registration: string,
): Promise<{ name: string; pool: string | null } | undefined> {
  const { rows } = await database.query<{ name: string; pool: string | null }>(
    "select name, pool from nodes where registration::text = $1 and reach = 'joined'",
    [registration],
  );
  return rows[0];
}
