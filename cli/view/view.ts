import type { JobEvent } from '../../contracts/event.ts';
import type { JobResult, JobView } from '../../contracts/job.ts';
import type { UsageTotal } from '../../contracts/usage.ts';

/** How a running job is shown. */
export interface View {
  event(event: JobEvent): void;
  /** What a model has said so far of an answer that is still coming; several may come at once. */
  words?(callId: string, text: string): void;
  /** The server is away and is tried again. */
  away(awayMs: number): void;
  /** Leaves the terminal to somebody else, until the next event. */
  suspend(): void;
  /** The last word about a job that has ended. */
  summary(job: JobView, result: JobResult, usage?: UsageTotal): void;
  /** Leaves the terminal for good. */
  close(): void;
}
