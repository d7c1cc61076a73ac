import { stepSucceeded } from '../contracts/derived.ts';
import { HelixError } from '../contracts/error.ts';
import type { JobEventData } from '../contracts/event.ts';
import type { StepResult } from '../contracts/step.ts';
import type { Database } from '../db/database.ts';
import { appendEvents, type NewEvent } from '../db/events.ts';
import { storeSteps } from '../db/step-cache.ts';
import {
  finishSteps,
  setWaiting,
  startSteps,
  type StepFinish,
  type StepIdentity,
  type StepStart,
} from '../db/steps.ts';

/** What became of a step, with what the job's event log says of it. */
export type StepRecord = { event: NewEvent } & (
  { waiting: StepIdentity } | { started: StepStart } | { finished: StepFinish; keep?: KeptResult }
);

/** For the step cache. */
export interface KeptResult {
  key: string;
  project: string;
  result: StepResult;
}

export interface FinishedStep {
  identity: StepIdentity;
  /** Counts from 1. */
  attempt: number;
  result: StepResult;
}

export function waitingRecord(step: StepIdentity, nodeClass: string, until: Date): StepRecord {
  const data = { type: 'step.waiting', ...step, class: nodeClass, deadline: until.toISOString() } as const;
  return { waiting: step, event: eventOf(step, 'waiting', data) };
}

export function startedRecord(start: StepStart, waitedMs: number, why: string): StepRecord {
  const data = { type: 'step.started', ...start, waitedMs, why } as const;
  // On a second node within an attempt it starts once more.
  return { started: start, event: eventOf(start, `started:${start.attempt}:${start.node}`, data) };
}

export function finishedRecord({ identity, attempt, result }: FinishedStep, keep?: KeptResult): StepRecord {
  const { node, cached, end, exitCode, durationMs, logBytes } = result;
  const state = stepSucceeded(result) ? 'succeeded' : end === 'cancelled' ? 'cancelled' : 'failed';
  // Without its result the record of a cancelled command would answer for the attempt that comes after it.
  const kept = end === 'cancelled' ? {} : { result };
  const outcome = { state, node, cached, exitCode, end, logBytes, durationMs, ...kept } as const;
  const data = { type: 'step.finished', ...identity, node, cached, end, exitCode, durationMs, logBytes } as const;
  const event = eventOf(identity, `finished:${attempt}`, data);
  return { finished: { ...identity, outcome }, event, ...(keep ? { keep } : {}) };
}

export function eventOf({ executionId }: StepIdentity, key: string, data: JobEventData): NewEvent {
  return { key: `${executionId}:${key}`, at: new Date().toISOString(), data };
}

/** Records what became of steps of one job, none of them twice, and says so in its event log: all of it or nothing. Safe to repeat. */
export async function recordSteps(database: Database, jobId: string, records: readonly StepRecord[]): Promise<void> {
  if (records.length === 0) return;
  await database.transaction(async (transaction) => {
    await setWaiting(transaction, jobId, records.flatMap((one) => ('waiting' in one ? [one.waiting] : []))); // prettier-ignore
    await startSteps(transaction, jobId, records.flatMap((one) => ('started' in one ? [one.started] : []))); // prettier-ignore
    await finishSteps(transaction, jobId, records.flatMap((one) => ('finished' in one ? [one.finished] : []))); // prettier-ignore
    await storeSteps(transaction, records.flatMap((one) => ('finished' in one && one.keep ? [one.keep] : []))); // prettier-ignore
    await appendEvents(transaction, jobId, records.map(({ event }) => event)); // prettier-ignore
  });
}

/** A transaction should not hold a job's row for long. */
const mostAtOnce = 100;

interface Waiting {
  record: StepRecord;
  resolve: () => void;
  reject: (error: unknown) => void;
}

/**
 * Records steps of many jobs. All writers of one job wait for its row, so while one transaction is under way the records that come meanwhile
 * wait for the next one, which takes them together.
 */
export class StepRecorder {
  private readonly database: Database;
  /** By job, while something of it is being recorded. */
  private readonly queues = new Map<string, Waiting[]>();

  constructor(database: Database) {
    this.database = database;
  }

  /** Resolves when it is recorded. */
  record(jobId: string, record: StepRecord): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const waiting = { record, resolve, reject };
    const queue = this.queues.get(jobId);
    if (queue) queue.push(waiting);
    else {
      this.queues.set(jobId, [waiting]);
      void this.drain(jobId);
    }
    return promise;
  }

  private async drain(jobId: string): Promise<void> {
    const queue = this.queues.get(jobId)!;
    while (queue.length > 0) await this.write(jobId, takeTogether(queue));
    this.queues.delete(jobId);
  }

  private async write(jobId: string, batch: readonly Waiting[]): Promise<void> {
    try {
      await recordSteps(this.database, jobId, batch.map(({ record }) => record)); // prettier-ignore
      for (const { resolve } of batch) resolve();
    } catch (error) {
      // What one of them is at fault for must not fail the others; a database that is away fails all.
      if (batch.length === 1 || error instanceof HelixError) for (const { reject } of batch) reject(error);
      else for (const one of batch) await this.write(jobId, [one]);
    }
  }
}

/** From the front of the queue, in its order: nothing of a step that has something among them already. */
function takeTogether(queue: Waiting[]): Waiting[] {
  const seen = new Set<string>();
  const end = queue.findIndex(({ record }, index) => {
    const { executionId } = stepOf(record);
    if (index >= mostAtOnce || seen.has(executionId)) return true;
    seen.add(executionId);
    return false;
  });
  return queue.splice(0, end === -1 ? queue.length : end);
}

function stepOf(record: StepRecord): StepIdentity {
  if ('waiting' in record) return record.waiting;
  return 'started' in record ? record.started : record.finished;
}
