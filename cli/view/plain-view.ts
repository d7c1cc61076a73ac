import type { JobEvent } from '../../contracts/event.ts';
import type { JobResult, JobView } from '../../contracts/job.ts';
import type { UsageTotal } from '../../contracts/usage.ts';
import { describeEvent } from './describe-event.ts';
import { describeResult } from './summary.ts';
import { type View } from './view.ts';

/** Lines with a time, for logs and pipes. */
export class PlainView implements View {
  #isAway = false;

  event(event: JobEvent): void {
    this.#isAway = false;
    const text = describeEvent(event);
    if (text !== undefined) process.stdout.write(`${new Date(event.at).toLocaleTimeString('en-GB')} ${text}\n`);
  }

  away(): void {
    if (this.#isAway) return;
    this.#isAway = true;
    process.stderr.write('the API is away; the job goes on, trying again\n');
  }

  suspend(): void {}

  summary(job: JobView, result: JobResult, usage?: UsageTotal): void {
    process.stdout.write(describeResult(job, result, usage));
  }

  close(): void {}
}
