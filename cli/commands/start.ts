import { join } from 'node:path';
import type { Command } from 'commander';
import { createClient } from '../../client/client.ts';
import { loadConfig } from '../../config/load.ts';
import { attached, readFiles } from '../job/attached-files.ts';
import { buildRequest } from '../job/build-request.ts';
import { addRequestOptions, type RequestOptions } from '../job/request-options.ts';
import { runJob } from '../job/run-job.ts';
import { describeStack, toStderr } from '../stack-text.ts';

/** What the sample is worth trying with: its README says why. */
const sampleGoal = 'Call getWeight what it is: the billable weight';
export const sampleRecipe = 'rename-symbol:getWeight=billableWeight';

export function configure(command: Command): void {
  addRequestOptions(command, 'a copy of the sample').action(
    async (goal: string | undefined, _options: unknown, self: Command) => {
      const options = self.optsWithGlobals<RequestOptions>();
      const config = loadConfig();
      const isSample = options.repo === undefined;
      const repository = options.repo ?? (await makeSample(config.home));
      const isDemonstration =
        isSample && options.recipe.length === 0 && options.modes === undefined && goal === undefined;
      const request = isDemonstration
        ? await buildRequest(sampleGoal, repository, { ...options, recipe: [sampleRecipe], model: false })
        : await buildRequest(goal, repository, options);
      const files = await readFiles(options.attach);
      const { up } = await import('../../infra/embedded/stack.ts');
      const state = await up(config, toStderr);
      process.stderr.write(`The stack is up and stays up; "helix down" stops it.\n${describeStack(state)}`);
      if (isSample) process.stderr.write(`The sample repository is ${repository}\n`);
      const client = createClient(state.apiUrl);
      process.exitCode = await runJob(client, { ...request, ...(await attached(client, files)) }, options);
    },
  );
}

async function makeSample(home: string): Promise<string> {
  const { prepareSample } = await import('../../examples/prepare-sample.ts');
  return prepareSample(join(home, 'sample'));
}
