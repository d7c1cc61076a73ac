/** Workflows and their short local activities; polled by the orchestrator. */
export const orchestratorTaskQueue = 'helix';
/** Fetching sources from and publishing results to repositories; polled by integrations. */
export const sourceTaskQueue = 'source';
/** Registration and probing of nodes; polled by every node-pool. */
export const fleetTaskQueue = 'fleet';

/** What only the node-pool that holds a node can do; polled by that one. */
export function poolTaskQueue(pool: string): string {
  return `pool:${pool}`;
}

/** Calls of one provider's models; polled by integrations, with the provider's own limits. */
export function modelTaskQueue(provider: string): string {
  return `llm:${provider}`;
}
