import type { NodeEvent, NodeState } from '../contracts/node.ts';
import type { Queryable } from './database.ts';

/** The node's last changes of state, newest first, at most `limit`. */
export async function listNodeEvents(database: Queryable, node: string, limit: number): Promise<NodeEvent[]> {
  const { rows } = await database.query<{ at: Date; state: NodeState; reason: string | null }>(
    'select at, state, reason from node_events where node = $1 order by id desc limit $2',
    [node, limit],
  );
  return rows.map(({ at, state, reason }) => ({
    at: at.toISOString(),
    state,
    ...(reason === null ? {} : { reason }),
  }));
}
