import type { Response } from 'express';
import { type EventSource, readEventFeed } from './event-feed.ts';
import { callerSignal, writeSlowly } from './stream.ts';

/**
 * Streams a job's events as server-sent events: `id` is the sequence number, `data` the event. After the job's end comes one
 * more of type `end`, without an id.
 */
export async function streamEvents(response: Response, source: EventSource): Promise<void> {
  const signal = callerSignal(response);
  response.status(200).set({ 'Content-Type': 'text/event-stream; charset=utf-8', 'X-Accel-Buffering': 'no' });
  response.flushHeaders();
  let sentAt = performance.now();
  const send = async (text: string) => {
    await writeSlowly(response, text, signal);
    sentAt = performance.now();
  };
  try {
    for await (const event of readEventFeed(source, signal)) {
      if (event) await send(`id: ${event.seq}\ndata: ${JSON.stringify(event)}\n\n`);
      else if (performance.now() - sentAt >= source.timings.heartbeatMs) await send(':\n\n');
    }
    await send('event: end\ndata: {}\n\n');
    response.end();
  } catch (error) {
    if (!signal.aborted) throw error;
  }
}
