import { setTimeout as sleep } from 'node:timers/promises';
import type { Logger } from 'pino';
import { z } from 'zod';
import type { JobEvent } from '../contracts/event.ts';
import type { Database } from '../db/database.ts';
import { isLogAtEnd, readEvents } from '../db/events.ts';
import type { JobFeed } from './job-feed.ts';
import { flagSchema } from './query-flag.ts';

export interface StreamTimings {
  /** Something is sent at least this often, so that both ends notice a dead connection. */
  heartbeatMs: number;
  /** Events are looked for at least this often, whatever became of their notification. */
  pollMs: number;
}

export interface EventSource {
  database: Database;
  feed: JobFeed;
  logger: Logger;
  timings: StreamTimings;
  jobId: string;
  /** Sequence number of the last event the caller has. */
  after: number;
  /** Go on after the job's end. */
  follow: boolean;
}

export const seqSchema = z.coerce.number().int().min(0);
export const eventQuerySchema = z.strictObject({ after: seqSchema.default(0), follow: flagSchema });

const pageSize = 100;
const retryMs = 500;

/**
 * A job's events as they happen, to the job's end; no more than a page is held for a caller who is slow. Between them comes undefined whenever nothing
 * has happened for a while, at least once per heartbeat. A database that is away holds it back and does not break it. Throws the signal's reason.
 */
export async function* readEventFeed(source: EventSource, signal: AbortSignal): AsyncGenerator<JobEvent | undefined> {
  const { database, jobId, timings, follow } = source;
  const watch = source.feed.watch(jobId);
  const onAbort = (): void => watch.close();
  signal.addEventListener('abort', onAbort);
  let { after } = source;
  try {
    for (;;) {
      const page = await whenReachable(source, signal, () => readPage(database, jobId, after, follow));
      for (const event of page?.events ?? []) {
        yield event;
        after = event.seq;
      }
      if (page?.isEnd) return;
      if (page && page.events.length === pageSize) continue;
      yield undefined;
      if (page) await watch.changed(Math.min(timings.pollMs, timings.heartbeatMs));
    }
  } finally {
    signal.removeEventListener('abort', onAbort);
    watch.close();
  }
}

async function readPage(
  database: Database,
  jobId: string,
  after: number,
  follow: boolean,
): Promise<{ events: JobEvent[]; isEnd: boolean }> {
  const events = await readEvents(database, jobId, after, pageSize);
  const isEnd = !follow && events.length < pageSize && (await isLogAtEnd(database, jobId, events.at(-1)?.seq ?? after));
  return { events, isEnd };
}

async function whenReachable<T>(
  { logger, jobId }: EventSource,
  signal: AbortSignal,
  read: () => Promise<T>,
): Promise<T | undefined> {
  signal.throwIfAborted();
  try {
    return await read();
  } catch (error) {
    logger.warn({ err: error, jobId }, 'cannot read events, trying again');
    await sleep(retryMs, undefined, { signal });
    return undefined;
  }
}
