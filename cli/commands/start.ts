import type { Command } from 'commander';
import { createClient } from '../../client/client.ts';
import { loadConfig } from '../../config/load.ts';
import { buildRequest } from '../job/build-request.ts';
import { addRequestOptions, type RequestOptions } from '../job/request-options.ts';
import { runJob } from '../job/run-job.ts';
import { describeStack, toStderr } from '../stack-text.ts';

export function configure(command: Command): void {
  addRequestOptions(command, 'a copy of the sample').action(
    async (goal: string | undefined, _options: unknown, self: Command) => {
      const options = self.optsWithGlobals<RequestOptions>();
      const config = loadConfig();
      const sample =
        options.repo === undefined ? await (await import('../sample.ts')).prepareSample(config.home) : undefined;
      const recipe =
        sample && options.recipe.length === 0 && options.modes === undefined ? sample.recipes : options.recipe;
      const request = await buildRequest(goal ?? sample?.goal, options.repo ?? sample!.path, { ...options, recipe });
      const { up } = await import('../../infra/embedded/stack.ts');
      const state = await up(config, toStderr);
      process.stderr.write(`The stack is up and stays up; "helix down" stops it.\n${describeStack(state)}`);
      process.exitCode = await runJob(createClient(state.apiUrl), request, options);
    },
  );
}
