import type { Response } from 'express';
import { z } from 'zod';
import type { StepLog } from './deps.ts';
import type { JobFeed } from './job-feed.ts';
import { flagSchema } from './query-flag.ts';
import { callerSignal, writeSlowly } from './stream.ts';

interface LogStream {
  feed: JobFeed;
  log: StepLog;
  jobId: string;
  /** Media type. */
  type: string;
  /** Whether nothing more will be written. */
  hasEnded(): Promise<boolean>;
  /** Bytes to leave out. */
  offset: number;
  /** Go on until it has ended. */
  follow: boolean;
}

export const logQuerySchema = z.strictObject({
  /** Bytes. */
  offset: z.coerce.number().int().min(0).default(0),
  follow: flagSchema,
});

const chunkBytes = 64 * 1024;

/** How often a growing log is looked at. */
const pollMs = 250;

/** Sends the log of a step, or of a model's answer, in pieces no larger than the caller takes them. */
export async function streamLog(response: Response, stream: LogStream): Promise<void> {
  const { log, jobId, follow } = stream;
  const signal = callerSignal(response);
  const watch = stream.feed.watch(jobId);
  signal.addEventListener('abort', () => watch.close());
  let { offset } = stream;
  // Before anything is sent, so that an error here still becomes problem details.
  let chunk = await log.read(offset, chunkBytes);
  response.status(200).type(stream.type);
  if (follow) response.flushHeaders();
  try {
    for (;;) {
      if (chunk.length > 0) {
        await writeSlowly(response, chunk, signal);
        offset += chunk.length;
        chunk = await log.read(offset, chunkBytes);
        continue;
      }
      if (!follow) break;
      // The state comes first: what was written until the end is then in the read that follows.
      const hasEnded = await stream.hasEnded();
      signal.throwIfAborted();
      chunk = await log.read(offset, chunkBytes);
      if (chunk.length > 0) continue;
      if (hasEnded) break;
      await watch.changed(pollMs);
    }
    response.end();
  } catch (error) {
    if (!signal.aborted) throw error;
  } finally {
    watch.close();
  }
}
