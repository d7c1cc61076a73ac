import { stepSucceeded } from '../contracts/derived.ts';
import type { StepResult } from '../contracts/step.ts';
import type { Database } from '../db/database.ts';
import { appendEvents } from '../db/events.ts';
import { finishStep, type StepIdentity } from '../db/steps.ts';

export interface FinishedStep {
  identity: StepIdentity;
  /** Counts from 1. */
  attempt: number;
  result: StepResult;
}

/** Records how steps of one job ended, and says so in its event log: all of it or nothing. Safe to repeat. */
export async function recordFinished(database: Database, jobId: string, steps: readonly FinishedStep[]): Promise<void> {
  if (steps.length === 0) return;
  await database.transaction(async (transaction) => {
    for (const { identity, result } of steps) {
      const { end, exitCode, node, cached, logBytes, durationMs } = result;
      const state = stepSucceeded(result) ? 'succeeded' : end === 'cancelled' ? 'cancelled' : 'failed';
      // Without its result the record of a cancelled command would answer for the attempt that comes after it.
      const kept = end === 'cancelled' ? {} : { result };
      const outcome = { state, node, cached, exitCode, end, logBytes, durationMs, ...kept } as const;
      await finishStep(transaction, identity.executionId, outcome, identity);
    }
    const at = new Date().toISOString();
    const events = steps.map(({ identity, attempt, result }) => {
      const { node, cached, end, exitCode, durationMs, logBytes } = result;
      const data = { type: 'step.finished', ...identity, node, cached, end, exitCode, durationMs, logBytes } as const;
      return { key: `${identity.executionId}:finished:${attempt}`, at, data };
    });
    await appendEvents(transaction, jobId, events);
  });
}
