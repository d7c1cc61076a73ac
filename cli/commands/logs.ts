import type { Command } from 'commander';
import { HelixError } from '../../contracts/error.ts';
import { connect, type GlobalOptions } from '../connect.ts';
import { followAllLogs, printAllLogs, printLog } from '../job/print-logs.ts';

interface LogsOptions extends GlobalOptions {
  follow?: boolean;
  step?: string;
}

export function configure(command: Command): void {
  command
    .argument('<job>', 'id of the job')
    .option('--step <number>', 'only that step, as "helix show" numbers them')
    .option('--follow', 'go on until the job or the step has ended')
    .action(async (jobId: string, _options: unknown, self: Command) => {
      const options = self.optsWithGlobals<LogsOptions>();
      const step = options.step === undefined ? undefined : parseStep(options.step);
      const follow = options.follow === true;
      const client = await connect(options);
      if (step !== undefined) await printLog(client, jobId, step, follow);
      else if (follow) await followAllLogs(client, jobId);
      else await printAllLogs(client, jobId);
    });
}

function parseStep(text: string): number {
  if (!/^[1-9]\d{0,8}$/.test(text))
    throw new HelixError('usage.invalid', `--step takes a number from 1 on, not "${text}"`);
  return Number(text);
}
