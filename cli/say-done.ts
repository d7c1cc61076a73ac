import { printJson } from './output.ts';

/** Says that a job has taken a message. */
export function sayDone(done: { jobId: string; action: string; text: string; json: boolean | undefined }): void {
  const { jobId, action, text, json } = done;
  if (json) printJson({ jobId, action });
  else process.stdout.write(`${jobId} ${text}\n`);
}
