import { type Client, WorkflowNotFoundError } from '@temporalio/client';

/** An agent at work in a job. */
export interface RunningTurn {
  /** Of its workflow. */
  id: string;
  /** Workflow id of what started it: a mode, a chat, or an agent that gave it a part of its work. */
  parent: string;
}

/** The agents at work below a workflow, also those that work for other agents. */
export async function runningTurns(client: Client, workflowId: string): Promise<RunningTurn[]> {
  const children = await pendingChildren(client, workflowId);
  const below = await Promise.all(
    children.map(async ({ id, type }) => {
      const deeper = await runningTurns(client, id);
      return type === 'agentTurn' ? [{ id, parent: workflowId }, ...deeper] : deeper;
    }),
  );
  return below.flat();
}

async function pendingChildren(client: Client, workflowId: string): Promise<{ id: string; type: string }[]> {
  try {
    const { raw } = await client.workflow.getHandle(workflowId).describe();
    return (raw.pendingChildren ?? []).map((child) => ({ id: child.workflowId!, type: child.workflowTypeName! }));
  } catch (error) {
    // It was about to start, or has just ended.
    if (error instanceof WorkflowNotFoundError) return [];
    throw error;
  }
}

/** Those that an agent's name means: an item's id, or a part of the workflow's id below that of the job, e.g. `building/agent-1`. */
export function turnsNamed<T extends Pick<RunningTurn, 'id'>>(
  turns: readonly T[],
  jobId: string,
  agent: string | undefined,
): T[] {
  if (agent === undefined) return [...turns];
  return turns.filter(({ id }) => {
    const name = nameOf(id, jobId);
    return name === agent || name.split('/').some((part) => part === agent || part === `item-${agent}`);
  });
}

/** As `turnsNamed` takes it; for an item's agent, the id of the item. */
export function shortName(id: string, jobId: string): string {
  const name = nameOf(id, jobId);
  return /\/item-([^/]+)$/.exec(name)?.[1] ?? name;
}

function nameOf(id: string, jobId: string): string {
  return id.startsWith(`${jobId}/`) ? id.slice(jobId.length + 1) : id;
}

/** Without those that work for one of the others. */
export function outermost(turns: readonly RunningTurn[]): RunningTurn[] {
  return turns.filter(({ parent }) => !turns.some(({ id }) => id === parent));
}
