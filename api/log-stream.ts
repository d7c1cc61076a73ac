import type { Response } from 'express';
import type { Database } from '../db/database.ts';
import { getStep } from '../db/steps.ts';
import type { StepLog } from './deps.ts';
import type { JobFeed } from './job-feed.ts';
import { callerSignal, writeSlowly } from './stream.ts';

interface LogStream {
  database: Database;
  feed: JobFeed;
  log: StepLog;
  jobId: string;
  number: number;
  /** Bytes to leave out. */
  offset: number;
  /** Go on until the step has ended. */
  follow: boolean;
}

const chunkBytes = 64 * 1024;

/** How often a growing log is looked at. */
const pollMs = 250;

/** Sends a step's log as text, in pieces no larger than the caller takes them. */
export async function streamLog(response: Response, stream: LogStream): Promise<void> {
  const { database, log, jobId, number, follow } = stream;
  const signal = callerSignal(response);
  const watch = stream.feed.watch(jobId);
  signal.addEventListener('abort', () => watch.close());
  let { offset } = stream;
  // Before anything is sent, so that an error here still becomes problem details.
  let chunk = await log.read(offset, chunkBytes);
  response.status(200).type('text/plain');
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
      // The state comes first: what was written until the step ended is then in the read that follows.
      const hasEnded = (await getStep(database, jobId, number))?.finishedAt !== null;
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
