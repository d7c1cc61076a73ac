import type { Response } from 'express';
import type { JobFeed } from './job-feed.ts';
import { type LogQuery, type LogSource, readLogFeed } from './log-feed.ts';
import { callerSignal, writeSlowly } from './stream.ts';

/** Sends a log in pieces no larger than the caller takes them. */
export async function streamLog(
  response: Response,
  feed: JobFeed,
  source: LogSource,
  query: LogQuery,
  type: string,
): Promise<void> {
  const signal = callerSignal(response);
  const chunks = readLogFeed(feed, source, query, signal);
  try {
    // Before anything is sent, so that an error here still becomes problem details.
    let next = await chunks.next();
    response.status(200).type(type);
    if (query.follow) response.flushHeaders();
    for (; !next.done; next = await chunks.next()) if (next.value) await writeSlowly(response, next.value, signal);
    response.end();
  } catch (error) {
    if (!signal.aborted) throw error;
  } finally {
    await chunks.return(undefined);
  }
}
