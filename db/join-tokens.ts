import type { NodeToken, NodeTokenRequest } from '../contracts/node.ts';
import type { Queryable } from './database.ts';
import { toJsonb } from './json.ts';
import { nodesChannel } from './nodes.ts';

interface TokenRow {
  id: string;
  name: string | null;
  slots: number | null;
  labels: Record<string, string>;
  state: NodeToken['state'];
  created_at: Date;
  expires_at: Date;
  used_at: Date | null;
  node: string | null;
}

const isOpen = 'used_at is null and revoked_at is null and expires_at > clock_timestamp()';

const selectTokens = `select *, case when used_at is not null then 'used' when revoked_at is not null then 'revoked'
  when expires_at <= clock_timestamp() then 'expired' else 'open' end as state from join_tokens`;

/** Long after they were of use to anybody. */
const keptFor = "interval '30 days'";

/** Puts a new token on record, and has whoever holds nodes listen for its machine. Returns when it expires. */
export async function insertToken(database: Queryable, id: string, request: NodeTokenRequest): Promise<string> {
  const { name, slots, labels, expiresMs } = request;
  const { rows } = await database.query<{ expires_at: Date }>(
    `with old as (delete from join_tokens where expires_at < clock_timestamp() - ${keptFor}),
       saved as (
         insert into join_tokens (id, name, slots, labels, expires_at)
         values ($1, $2, $3, $4, clock_timestamp() + $5 * interval '1 ms') returning expires_at
       )
     select expires_at, pg_notify($6, '') from saved`,
    [id, name ?? null, slots ?? null, toJsonb(labels), expiresMs, nodesChannel],
  );
  return rows[0]!.expires_at.toISOString();
}

/** Newest first. */
export async function listTokens(database: Queryable): Promise<NodeToken[]> {
  const { rows } = await database.query<TokenRow>(`${selectTokens} order by created_at desc, id`);
  return rows.map(toToken);
}

export async function getToken(database: Queryable, id: string): Promise<NodeToken | undefined> {
  const { rows } = await database.query<TokenRow>(`${selectTokens} where id = $1`, [id]);
  return rows[0] && toToken(rows[0]);
}

/** Uses a token up for a node. Of several at once one succeeds; returns false to the others, and when it is not open any more. */
export async function redeemToken(database: Queryable, id: string, node: string): Promise<boolean> {
  const { rowCount } = await database.query(
    `update join_tokens set used_at = clock_timestamp(), node = $2 where id = $1 and ${isOpen}`,
    [id, node],
  );
  return rowCount === 1;
}

/** Returns false when it was not open. */
export async function revokeToken(database: Queryable, id: string): Promise<boolean> {
  const { rowCount } = await database.query(
    `with revoked as (update join_tokens set revoked_at = clock_timestamp() where id = $1 and ${isOpen} returning id)
     select pg_notify($2, '') from revoked`,
    [id, nodesChannel],
  );
  return rowCount === 1;
}

/** Whether any machine may come: one with a token, or one that has joined. */
export async function whoMayJoin(database: Queryable): Promise<{ tokens: boolean; nodes: boolean }> {
  const { rows } = await database.query<{ tokens: boolean; nodes: boolean }>(
    `select exists(select from join_tokens where ${isOpen}) as tokens,
       exists(select from nodes where reach = 'joined') as nodes`,
  );
  return rows[0]!;
}

function toToken(row: TokenRow): NodeToken {
  return {
    id: row.id,
    state: row.state,
    ...(row.name === null ? {} : { name: row.name }),
    ...(row.slots === null ? {} : { slots: row.slots }),
    labels: row.labels,
    createdAt: row.created_at.toISOString(),
    expiresAt: row.expires_at.toISOString(),
    ...(row.used_at === null ? {} : { usedAt: row.used_at.toISOString() }),
    ...(row.node === null ? {} : { node: row.node }),
  };
}
