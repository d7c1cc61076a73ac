import type { Command } from 'commander';
import { loadConfig } from '../../config/load.ts';
import { printJson } from '../output.ts';
import { describeStack, toStderr } from '../stack-text.ts';

export function configure(command: Command): void {
  command.option('--json', 'print where everything is as JSON').action(async ({ json }: { json?: boolean }) => {
    const { up } = await import('../../infra/embedded/stack.ts');
    const state = await up(loadConfig(), toStderr);
    // The address of the database holds its password.
    const { databaseUrl: _, ...shown } = state;
    if (json) printJson(shown);
    else process.stdout.write(describeStack(state));
  });
}
