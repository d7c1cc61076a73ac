import { CancellationScope, type ChildWorkflowHandle, startChild } from '@temporalio/workflow';
import type { createSpendingActivities } from '../activities/spending.ts';
import type { AgentTurnInput, AgentTurnResult } from '../contracts/workflow.ts';
import { proxyActivities } from './activities.ts';
import type { Ledger } from './ledger.ts';

const { settleTurn } = proxyActivities<ReturnType<typeof createSpendingActivities>>({
  startToCloseTimeout: '1m',
  summary: 'Sum up what was spent',
  // A database that is away holds the settling back and never fails it.
  retry: { initialInterval: '200ms', maximumInterval: '10s' },
});

export type TurnHandle = ChildWorkflowHandle<(input: AgentTurnInput) => Promise<AgentTurnResult>>;

/**
 * Runs an agent as a child, with a part of a ledger: all that is left, or one of `shares` equal parts where several run at once. In whichever way it ends,
 * what it spent is settled, and what its users gave it more is raised.
 */
export async function runChildTurn(
  ledger: Ledger,
  workflowId: string,
  input: Omit<AgentTurnInput, 'budget'>,
  options: { shares?: number; summary?: string; started?: (child: TurnHandle) => void | Promise<void> } = {},
): Promise<AgentTurnResult> {
  const budget = ledger.reserve(options.shares);
  try {
    // By its name: the workflow itself imports this file.
    const child = await startChild<(input: AgentTurnInput) => Promise<AgentTurnResult>>('agentTurn', {
      workflowId,
      args: [{ ...input, budget }],
      cancellationType: 'WAIT_CANCELLATION_COMPLETED',
      parentClosePolicy: 'REQUEST_CANCEL',
      staticSummary: (options.summary ?? input.title).slice(0, 200),
    });
    await options.started?.(child);
    const result = await child.result();
    ledger.raise(result.raised);
    ledger.settle(budget, result.spending);
    return result;
  } catch (error) {
    await settleByRecord(ledger, input.job.jobId, workflowId, budget);
    throw error;
  }
}

/** Settles what a workflow below this one spent with its agents, and can no longer say. */
export async function settleByRecord(
  ledger: Ledger,
  jobId: string,
  workflowId: string,
  part: ReturnType<Ledger['reserve']> = {},
): Promise<void> {
  // Also for one that was cancelled.
  ledger.settle(part, await CancellationScope.nonCancellable(() => settleTurn({ jobId, turn: workflowId })));
}
