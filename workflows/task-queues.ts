/** Workflows and their short local activities; polled by the orchestrator. */
export const orchestratorTaskQueue = 'helix';
/** Fetching sources from and publishing results to repositories; polled by integrations. */
export const sourceTaskQueue = 'source';
/** Registration and probing of nodes; polled by the node-pool. */
export const fleetTaskQueue = 'fleet';

/** Calls of one provider's models; polled by integrations, with the provider's own limits. */
export function modelTaskQueue(provider: string): string {
  return `llm:${provider}`;
}
