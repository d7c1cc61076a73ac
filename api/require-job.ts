import { HelixError } from '../contracts/error.ts';
import { jobIdSchema, type JobView } from '../contracts/job.ts';
import type { Database } from '../db/database.ts';
import { getJob } from '../db/jobs.ts';
import { parseInput } from './parse-input.ts';

/** The job of a path. Throws `usage.invalid` when it is no job id, `job.not-found` when there is none. */
export async function requireJob(database: Database, jobId: string): Promise<JobView> {
  const job = await getJob(database, parseInput(jobIdSchema, jobId));
  if (!job) throw new HelixError('job.not-found', `there is no job ${jobId}: "helix jobs" lists those there are`);
  return job;
}
