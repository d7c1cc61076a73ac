import { z } from 'zod';
import { HelixError } from '../contracts/error.ts';
import { getModelCall } from '../db/model-calls.ts';
import { getStep } from '../db/steps.ts';
import type { ApiDeps, StepLog } from './deps.ts';
import type { JobFeed } from './job-feed.ts';
import { parseInput } from './parse-input.ts';
import { flagSchema } from './query-flag.ts';
import { requireJob } from './require-job.ts';

/** What grows while something runs: the output of a step, or the answer of a model. */
export interface LogSource {
  log: StepLog;
  jobId: string;
  /** Whether nothing more will be written. */
  hasEnded(): Promise<boolean>;
}

export const logQuerySchema = z.strictObject({
  /** Bytes to leave out. */
  offset: z.coerce.number().int().min(0).default(0),
  /** Go on until it has ended. */
  follow: flagSchema,
});
export type LogQuery = z.output<typeof logQuerySchema>;

const stepNumberSchema = z.coerce
  .number()
  .int()
  .min(1)
  .max(2 ** 31 - 1);

const chunkBytes = 64 * 1024;

/** How often a growing log is looked at. */
const pollMs = 250;

/** The log of a step. Throws `job.not-found`, `step.not-found` and `usage.invalid`. */
export async function logOfStep({ database, stepLog }: ApiDeps, job: string, step: string): Promise<LogSource> {
  const { jobId } = await requireJob(database, job);
  const number = parseInput(stepNumberSchema, step);
  const found = await getStep(database, jobId, number);
  if (!found)
    throw new HelixError('step.not-found', `job ${jobId} has no step ${number}: "helix show ${jobId}" lists its steps`);
  return {
    log: stepLog(found.executionId),
    jobId,
    hasEnded: async () => (await getStep(database, jobId, number))?.finishedAt !== null,
  };
}

/** A model's answer, one JSON object per line. Throws `job.not-found` and `artifact.not-found`. */
export async function logOfAnswer({ database, stepLog }: ApiDeps, job: string, callId: string): Promise<LogSource> {
  const { jobId } = await requireJob(database, job);
  if (!(await getModelCall(database, jobId, callId)))
    throw new HelixError('artifact.not-found', `job ${jobId} has asked no model under the id ${callId}`);
  return {
    log: stepLog(callId),
    jobId,
    hasEnded: async () => (await getModelCall(database, jobId, callId))?.hasEnded !== false,
  };
}

/** A log in pieces, the next one read when the one before it has been taken; undefined when there is nothing more for now. Throws the signal's reason. */
export async function* readLogFeed(
  feed: JobFeed,
  { log, jobId, hasEnded }: LogSource,
  { offset: from, follow }: LogQuery,
  signal: AbortSignal,
): AsyncGenerator<Buffer | undefined> {
  const watch = feed.watch(jobId);
  const onAbort = (): void => watch.close();
  signal.addEventListener('abort', onAbort);
  let offset = from;
  let isLast = !follow;
  try {
    for (;;) {
      const chunk = await log.read(offset, chunkBytes);
      if (chunk.length > 0) {
        yield chunk;
        offset += chunk.length;
        continue;
      }
      if (isLast) return;
      yield undefined;
      // The state comes first: what was written until the end is then in the read that follows.
      isLast = await hasEnded();
      signal.throwIfAborted();
      if (!isLast) await watch.changed(pollMs);
    }
  } finally {
    signal.removeEventListener('abort', onAbort);
    watch.close();
  }
}
