import type { Command } from 'commander';
import { connectOrStart } from '../connect.ts';
import { attached, readFiles } from '../job/attached-files.ts';
import { buildRequest } from '../job/build-request.ts';
import { addRequestOptions, type RequestOptions } from '../job/request-options.ts';
import { runJob } from '../job/run-job.ts';

export function configure(command: Command): void {
  addRequestOptions(command, 'the one you are in')
    .addHelpText(
      'after',
      '\nExit codes: 0 succeeded, 1 failed, 2 wrong usage, 3 no stack, 4 cancelled or rejected, 5 waits for approval.',
    )
    .action(async (goal: string | undefined, _options: unknown, self: Command) => {
      const options = self.optsWithGlobals<RequestOptions>();
      const files = await readFiles(options.attach);
      const request = await buildRequest(goal, options.repo ?? '.', options);
      const client = await connectOrStart(options);
      process.exitCode = await runJob(client, { ...request, ...(await attached(client, files)) }, options);
    });
}
