import type { Command } from 'commander';
import { loadConfig } from '../../config/load.ts';
import { errorCodes } from '../../contracts/error.ts';
import { printJson } from '../output.ts';
import { describeProcesses } from '../text/processes.ts';

export function configure(command: Command): void {
  command
    .option('--json', 'print the processes as JSON')
    .addHelpText('after', '\nExit code 0 when all of it is up, 3 otherwise.')
    .action(async ({ json }: { json?: boolean }) => {
      const { status } = await import('../../infra/embedded/stack.ts');
      const processes = await status(loadConfig());
      if (json) printJson(processes);
      else process.stdout.write(describeProcesses(processes));
      const isUp = processes.length > 0 && processes.every(({ state }) => state === 'running' || state === 'external');
      if (isUp) return;
      if (!json) process.stderr.write('the stack is not up: start it with "helix up"\n');
      process.exitCode = errorCodes['stack.unreachable'].exitCode;
    });
}
