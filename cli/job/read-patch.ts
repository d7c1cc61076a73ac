import type { HelixClient } from '../../client/client.ts';
import { HelixError } from '../../contracts/error.ts';
import type { JobView } from '../../contracts/job.ts';

/** The patch from a job's source to its result; null when it changed nothing. Throws `job.wrong-state` before the job's end; a chat has one at any time. */
export async function readPatch(client: HelixClient, jobId: string): Promise<{ job: JobView; patch: Buffer | null }> {
  const job = await client.getJob(jobId);
  if (!job.result && job.request.kind === 'chat') {
    const changes = await client.readChanges(jobId);
    return { job, patch: changes.length === 0 ? null : changes };
  }
  if (!job.result) {
    throw new HelixError(
      'job.wrong-state',
      `${jobId} is ${job.status}: its changes come with its end ("helix watch ${jobId}")`,
    );
  }
  return { job, patch: job.result.patch === null ? null : await client.readArtifact(jobId, 'result.patch') };
}
