import type { JobEvent } from '../../contracts/event.ts';
import type { JobResult, JobView } from '../../contracts/job.ts';
import { printJsonLine } from '../output.ts';
import { type View } from './view.ts';

/** One JSON object per line: the events with their `type` at the top, and the result last. */
export class JsonView implements View {
  #isAway = false;

  event({ jobId, seq, at, data }: JobEvent): void {
    this.#isAway = false;
    printJsonLine({ ...data, jobId, seq, at });
  }

  away(): void {
    if (this.#isAway) return;
    this.#isAway = true;
    process.stderr.write('the API is away; the job goes on, trying again\n');
  }

  suspend(): void {}

  summary(_job: JobView, result: JobResult): void {
    printJsonLine({ type: 'result', ...result });
  }

  close(): void {}
}
