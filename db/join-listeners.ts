import type { Queryable } from './database.ts';
import { toJsonb } from './json.ts';

/** Where the machines that join find a host's node-pools. */
export interface JoinListenerRecord {
  host: string;
  /** The port that was configured. */
  wanted: number;
  port: number;
  /** Under what the host may be found; one with a port of its own is used as it is. */
  addresses: string[];
  /** The living node-pool that listens. */
  pool: string | null;
}

const living = 'select id from node_pools where expires_at > clock_timestamp()';
const selectListeners = `select host, wanted, port, addresses, (${living} and id = join_listeners.pool) as pool from join_listeners`;

export async function getListener(database: Queryable, host: string): Promise<JoinListenerRecord | undefined> {
  const { rows } = await database.query<JoinListenerRecord>(`${selectListeners} where host = $1`, [host]);
  return rows[0];
}

/** Those where somebody listens now. */
export async function listListeners(database: Queryable): Promise<JoinListenerRecord[]> {
  const { rows } = await database.query<JoinListenerRecord>(`select * from (${selectListeners}) as all_listeners where pool is not null order by host`); // prettier-ignore
  return rows;
}

/** Says where a node-pool listens. Returns false when another living one of the host listens already. */
export async function saveListener(
  database: Queryable,
  { host, wanted, port, addresses, pool }: JoinListenerRecord,
): Promise<boolean> {
  const { rowCount } = await database.query(
    `insert into join_listeners (host, wanted, port, addresses, pool) values ($1, $2, $3, $4, $5)
     on conflict (host) do update
       set wanted = excluded.wanted, port = excluded.port, addresses = excluded.addresses, pool = excluded.pool
       where join_listeners.pool is null or join_listeners.pool = excluded.pool or join_listeners.pool not in (${living})`,
    [host, wanted, port, toJsonb(addresses), pool],
  );
  return rowCount === 1;
}

/** The node-pool listens no more; the port is remembered. */
export async function dropListener(database: Queryable, pool: string): Promise<void> {
  await database.query('update join_listeners set pool = null where pool = $1', [pool]);
}
