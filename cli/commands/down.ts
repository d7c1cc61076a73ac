import type { Command } from 'commander';
import { loadConfig } from '../../config/load.ts';
import { printJson } from '../output.ts';
import { describeProcesses } from '../text/processes.ts';

export function configure(command: Command): void {
  command.option('--json', 'print the processes as JSON').action(async ({ json }: { json?: boolean }) => {
    const { down } = await import('../../infra/embedded/stack.ts');
    const processes = await down(loadConfig());
    if (json) printJson(processes);
    else process.stdout.write(processes.length === 0 ? 'the stack was not up\n' : describeProcesses(processes));
  });
}
