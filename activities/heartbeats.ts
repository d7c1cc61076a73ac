import type { Context } from '@temporalio/activity';

/** How often an activity beats that runs with few others, and how often with any number of others, in ms. The server gives one up after 15 s. */
const soonestMs = 500;
const latestMs = 4_000;
/** All activities of a process together: each beat is a write of the server's, and a server on a file takes a few hundred writes a second. */
const beatsPerSecond = 40;

interface Beating {
  context: Context;
  details: () => unknown;
}

/** What tells the server that activities of this process are alive, and brings their cancellations. */
export class Heartbeats {
  private readonly running = new Set<Beating>();

  /** Ms between two beats of one activity. */
  get intervalMs(): number {
    return Math.min(latestMs, Math.max(soonestMs, (this.running.size / beatsPerSecond) * 1_000));
  }

  /** Beats for the activity, with the `details` of the moment, until the function that is returned is called. */
  keep(context: Context, details: () => unknown): () => void {
    const beating: Beating = { context, details };
    const signal = context.cancellationSignal;
    let timer: NodeJS.Timeout;
    const next = (): void => {
      timer = setTimeout(() => {
        context.heartbeat(details());
        next();
      }, this.intervalMs);
    };
    const onCancelled = (): void => this.beatFor(context.info.workflowExecution);
    this.running.add(beating);
    signal.addEventListener('abort', onCancelled, { once: true });
    next();
    return () => {
      clearTimeout(timer);
      signal.removeEventListener('abort', onCancelled);
      this.running.delete(beating);
    };
  }

  /** Asks for the other activities of a workflow at once: who cancels one often cancels all. */
  private beatFor(execution: Context['info']['workflowExecution']): void {
    for (const { context, details } of this.running) {
      if (context.info.workflowExecution?.runId !== execution?.runId || context.cancellationSignal.aborted) continue;
      context.heartbeat(details());
    }
  }
}
