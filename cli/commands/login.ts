import type { Command } from 'commander';
import { loginRequestSchema } from '../../contracts/api.ts';
import { HelixError } from '../../contracts/error.ts';
import { connectOrStart, type GlobalOptions } from '../connect.ts';
import { printJsonLine } from '../output.ts';
import { cleanLine } from '../text/clean.ts';
import { style } from '../text/style.ts';

type Options = GlobalOptions & { json?: boolean };

const interruptedExitCode = 130;

export function configure(command: Command): void {
  const providers = loginRequestSchema.shape.provider.options;
  command
    .argument('<provider>', providers.join(' or '))
    .option('--json', 'print one JSON object per line')
    .action(async (provider: string) => {
      const request = loginRequestSchema.safeParse({ provider });
      if (!request.success)
        throw new HelixError(
          'usage.invalid',
          `one logs in to ${providers.join(' or ')}, not to "${provider}": other providers are given a key ("helix models --all" lists them)`,
        );
      const options = command.optsWithGlobals<Options>();
      const client = await connectOrStart(options);
      const interrupted = new AbortController();
      process.once('SIGINT', () => interrupted.abort());
      try {
        for await (const event of client.login(request.data, { signal: interrupted.signal })) {
          if (options.json) printJsonLine(event);
          else if (event.type === 'code') {
            const { userCode, address, completeAddress, expiresAt } = event;
            process.stdout.write(
              `Open ${style('bold', cleanLine(completeAddress ?? address))} in a browser and enter the code ${style('bold', cleanLine(userCode))}\n`,
            );
            process.stderr.write(
              `waiting until ${new Date(expiresAt).toLocaleTimeString('en-GB')}; Ctrl-C leaves without a login\n`,
            );
          } else if (event.type === 'done')
            process.stdout.write(`logged in to ${provider}: "helix models" lists its models\n`);
        }
      } catch (error) {
        if (!interrupted.signal.aborted) throw error;
        process.stderr.write('\nleft without a login; what was there before is kept\n');
        process.exitCode = interruptedExitCode;
      }
    });
}
