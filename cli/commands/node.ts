import type { Command } from 'commander';

const howItWorks = `
The machine connects to the controller and stays connected; nothing has to be able to connect to it. It needs git, and what your projects
need. It has to run as long as the machine is to be a node: it comes back by itself whenever the connection is lost, and with the same --root also
without the token. What steps need is kept in the folder. Ctrl-C ends it.
`;

export function configure(command: Command): void {
  command
    .command('join')
    .description('make this machine a node of the controller that made the token, and work for it')
    .argument('[token]', 'what "helix nodes token" printed on the controller; "-" reads it from standard input')
    .option('--root <folder>', 'folder for everything (default: ~/.helix)')
    .addHelpText('after', howItWorks)
    .action(async (token: string | undefined, { root }: { root?: string }) => {
      const { runJoiner } = await import('../../fleet/joiner/run.ts');
      await runJoiner({ token, root });
    });
}
