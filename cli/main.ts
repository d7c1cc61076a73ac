#!/usr/bin/env node
// Nothing but commander and the list of commands is loaded here: `helix --help` must answer at once.
import { Command, CommanderError, Help, type Option } from 'commander';
import { commands } from './registry.ts';

async function main(argv: string[]): Promise<number> {
  const program = new Command('helix')
    .description(
      'Carries development work on a git repository through planning, building, testing and refactoring, durably.',
    )
    .option('--api <url>', 'address of a HelixCode API, instead of that of the embedded stack')
    .helpCommand(false)
    .configureHelp({ optionDescription: describeOption })
    .showHelpAfterError('(see --help)')
    .exitOverride();
  const entries = new Map(
    commands.map((entry) => [program.command(entry.name).description(entry.summary).exitOverride(), entry] as const),
  );
  program.hook('preSubcommand', async (_program, command) => {
    const module = await entries.get(command)?.load();
    module?.configure(command);
  });
  program.addHelpText('after', '\nhelix COMMAND --help says more about a command.');
  try {
    await program.parseAsync(argv[0] === 'help' ? [...argv.slice(1), '--help'] : argv, { from: 'user' });
    return Number(process.exitCode ?? 0);
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2;
    const { reportError } = await import('./report-error.ts');
    return reportError(error);
  }
}

/** Without the default of options that may be given several times, which is nothing. */
function describeOption(option: Option): string {
  const shown: Option = Array.isArray(option.defaultValue)
    ? Object.assign(Object.create(Object.getPrototypeOf(option)), option, { defaultValue: undefined })
    : option;
  return new Help().optionDescription(shown);
}

// A reader that has had enough (`helix jobs | head`) is no error.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit(0);
  throw error;
});

process.exitCode = await main(process.argv.slice(2));
