import type { HelixClient } from '../../client/client.ts';
import type { JobRequest } from '../../contracts/job.ts';
import { printJsonLine } from '../output.ts';
import { attach } from './attach.ts';

/** Starts a job and shows it, or only says its id. Returns the exit code. */
export async function runJob(
  client: HelixClient,
  request: JobRequest,
  options: { json?: boolean; detach?: boolean },
): Promise<number> {
  const started = await client.startJob(request);
  if (!started.created) process.stderr.write(`${started.jobId} was started before with this idempotency key\n`);
  if (options.detach) {
    if (options.json) printJsonLine({ type: 'started', ...started });
    else process.stdout.write(`${started.jobId}\n`);
    return 0;
  }
  return attach(client, started.jobId, { json: options.json === true, onApproval: 'ask' });
}
