import { HelixError } from '../contracts/error.ts';
import { type JobEvent, jobEventSchema } from '../contracts/event.ts';
import { readEventSource } from './event-source.ts';
import type { Http } from './http.ts';
import { Retry, type RetryOptions } from './retry.ts';

export interface WatchOptions extends RetryOptions {
  /** Sequence number of the last event the caller has; default 0, for all. */
  after?: number;
}

/**
 * A job's events from `after` on, as they happen, until the job has ended. When the server goes away it is tried again, and the
 * stream goes on where it was: no event is lost or doubled. Throws `job.not-found`, and `stack.unreachable` when the server stays
 * away; an aborted signal ends it with the signal's reason.
 */
export async function* watchJob(http: Http, jobId: string, options: WatchOptions): AsyncGenerator<JobEvent> {
  const retry = new Retry(options);
  let seq = options.after ?? 0;
  for (;;) {
    try {
      const onHeard = () => retry.heard();
      const messages = readEventSource(http, `/jobs/${jobId}/events?after=${seq}`, { ...options, onHeard });
      for await (const message of messages) {
        if (message.event === 'end') return;
        const event = jobEventSchema.parse(JSON.parse(message.data));
        if (event.seq <= seq) continue;
        if (event.seq !== seq + 1) {
          throw new HelixError(
            'internal',
            `event ${seq + 1} of job ${jobId} is missing: the next to come was ${event.seq}`,
          );
        }
        seq = event.seq;
        yield event;
      }
      throw http.unreachable(new Error('the connection ended'));
    } catch (error) {
      await retry.wait(error);
    }
  }
}
