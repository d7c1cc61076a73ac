import { Context } from '@temporalio/activity';
import { toFailure } from './errors.ts';
import { Heartbeats } from './heartbeats.ts';

const heartbeats = new Heartbeats();
const details = new WeakMap<Context, () => unknown>();

/** What the running activity leaves behind with its heartbeats for its next attempt. */
export function heartbeatWith(current: () => unknown): void {
  details.set(Context.current(), current);
}

/**
 * Wraps every activity of a group: while it runs it tells the server that it is alive, so that the death of its process is noticed soon and a
 * cancellation arrives, and what it throws becomes a Temporal failure.
 */
export function activityGroup<T extends Record<string, (...args: never[]) => Promise<unknown>>>(activities: T): T {
  const wrapped = Object.entries(activities).map(([name, activity]) => [
    name,
    async (...args: never[]) => {
      const context = Context.current();
      const stop = heartbeats.keep(context, () => details.get(context)?.());
      try {
        return await activity(...args);
      } catch (error) {
        throw toFailure(error, context.info.attempt);
      } finally {
        stop();
      }
    },
  ]);
  return Object.fromEntries(wrapped) as T;
}
