import { HelixError } from '../../contracts/error.ts';
import type { JobView } from '../../contracts/job.ts';

/** What a user is told whose chat has ended under their hands. */
export function jobEnded({ jobId, status, result }: JobView): HelixError {
  const why = result?.reason ? `: ${result.reason.message}` : '';
  return new HelixError(
    'job.wrong-state',
    `the chat has ended (${status})${why}. "helix chat --resume ${jobId}" goes on in a new one`,
  );
}
