import type { Command } from 'commander';
import { HelixError } from '../../contracts/error.ts';
import type { JobView } from '../../contracts/job.ts';
import { connect, type GlobalOptions } from '../connect.ts';
import { printJson } from '../output.ts';
import { cleanLine } from '../text/clean.ts';
import { formatDuration } from '../text/duration.ts';
import { styledStatus } from '../text/style.ts';
import { table } from '../text/table.ts';

interface JobsOptions extends GlobalOptions {
  json?: boolean;
  limit: string;
}

export function configure(command: Command): void {
  command
    .option('--limit <count>', 'how many', '20')
    .option('--json', 'print the jobs as a JSON array')
    .action(async (_options: unknown, self: Command) => {
      const options = self.optsWithGlobals<JobsOptions>();
      const limit = Number(options.limit);
      if (!Number.isInteger(limit) || limit < 1 || limit > 200) {
        throw new HelixError('usage.invalid', `--limit takes a whole number from 1 to 200, not "${options.limit}"`);
      }
      const client = await connect(options);
      const { jobs } = await client.listJobs({ limit });
      if (options.json) printJson(jobs);
      else
        process.stdout.write(
          jobs.length === 0 ? 'there are no jobs yet: "helix run" starts one\n' : describeJobs(jobs),
        );
    });
}

function describeJobs(jobs: readonly JobView[]): string {
  const now = Date.now();
  return table(
    ['JOB', 'STATUS', 'PHASE', 'AGE', 'SOURCE', 'GOAL'],
    jobs.map((job) => [
      job.jobId,
      styledStatus(job.status),
      job.phase ?? '-',
      formatDuration(Math.max(0, now - Date.parse(job.createdAt))),
      cleanLine(job.request.source.location),
      (cleanLine(job.request.goal) || job.request.kind || '').slice(0, 60),
    ]),
  );
}
