import { Context } from '@temporalio/activity';

/** Runs `work` while telling the server twice a second that it goes on: also how a cancellation arrives. */
export async function withHeartbeat<T>(work: (signal: AbortSignal) => Promise<T>, details?: () => unknown): Promise<T> {
  const context = Context.current();
  const beat = setInterval(() => context.heartbeat(details?.()), 500);
  try {
    return await work(context.cancellationSignal);
  } finally {
    clearInterval(beat);
  }
}
