import type { JobEvent } from '../../contracts/event.ts';
import type { JobResult, JobView } from '../../contracts/job.ts';
import { printJsonLine } from '../output.ts';
import { type View } from './view.ts';

/** One JSON object per line: the events with their `type` at the top, and the result last. */
export class JsonView implements View {
  event({ jobId, seq, at, data }: JobEvent): void {
    printJsonLine({ ...data, jobId, seq, at });
  }

  away(awayMs: number): void {
    process.stderr.write(`helix: the API is away for ${Math.round(awayMs)} ms, trying again\n`);
  }

  suspend(): void {}

  summary(_job: JobView, result: JobResult): void {
    printJsonLine({ type: 'result', ...result });
  }

  close(): void {}
}
