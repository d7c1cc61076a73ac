import { setTimeout as sleep } from 'node:timers/promises';
import type { Response } from 'express';
import type { Logger } from 'pino';
import type { JobEvent } from '../contracts/event.ts';
import type { Database } from '../db/database.ts';
import { isLogAtEnd, readEvents } from '../db/events.ts';
import type { JobFeed } from './job-feed.ts';
import { callerSignal, writeSlowly } from './stream.ts';

export interface StreamTimings {
  /** Something is sent at least this often, so that both ends notice a dead connection. */
  heartbeatMs: number;
  /** Events are looked for at least this often, whatever became of their notification. */
  pollMs: number;
}

interface EventStream {
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

const pageSize = 100;
const retryMs = 500;

/**
 * Streams a job's events as server-sent events: `id` is the sequence number, `data` the event. After the job's end comes one
 * more of type `end`, without an id. A database that is away holds the stream back and does not break it.
 */
export async function streamEvents(response: Response, stream: EventStream): Promise<void> {
  const { database, jobId, timings } = stream;
  const signal = callerSignal(response);
  response.status(200).set({ 'Content-Type': 'text/event-stream; charset=utf-8', 'X-Accel-Buffering': 'no' });
  response.flushHeaders();
  const watch = stream.feed.watch(jobId);
  signal.addEventListener('abort', () => watch.close());
  let { after } = stream;
  let sentAt = performance.now();
  const send = async (text: string) => {
    await writeSlowly(response, text, signal);
    sentAt = performance.now();
  };
  try {
    for (;;) {
      const page = await whenReachable(stream, signal, () => readPage(database, jobId, after, stream.follow));
      for (const event of page?.events ?? []) {
        await send(`id: ${event.seq}\ndata: ${JSON.stringify(event)}\n\n`);
        after = event.seq;
      }
      if (page?.isEnd) {
        await send('event: end\ndata: {}\n\n');
        response.end();
        return;
      }
      if (page && page.events.length === pageSize) continue;
      if (performance.now() - sentAt >= timings.heartbeatMs) await send(':\n\n');
      if (page) await watch.changed(Math.min(timings.pollMs, timings.heartbeatMs));
    }
  } catch (error) {
    if (!signal.aborted) throw error;
  } finally {
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
  stream: EventStream,
  signal: AbortSignal,
  read: () => Promise<T>,
): Promise<T | undefined> {
  signal.throwIfAborted();
  try {
    return await read();
  } catch (error) {
    stream.logger.warn({ err: error, jobId: stream.jobId }, 'cannot read events, trying again');
    await sleep(retryMs, undefined, { signal });
    return undefined;
  }
}
