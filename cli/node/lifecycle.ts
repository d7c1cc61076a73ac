import type { Command } from 'commander';
import { HelixError } from '../../contracts/error.ts';
import type { HelixClient } from '../../client/client.ts';
import { connect, type GlobalOptions } from '../connect.ts';
import { printJson } from '../output.ts';
import { cleanLine } from '../text/clean.ts';
import { parseDuration } from '../text/duration.ts';

interface Options extends GlobalOptions {
  json?: boolean;
  reason?: string;
  limit?: string;
  detach?: boolean;
}

const lookEveryMs = 500;

/** Commands that keep steps off a node, and let them on it again. */
export function addLifecycleCommands(nodes: Command): void {
  tell(nodes, 'cordon', 'start nothing more on a node; what runs there goes on', async (client, name, { reason }) => {
    await client.cordonNode(name, reason);
    return 'takes no new steps until "helix nodes uncordon"';
  }).option('--reason <text>', 'why, for others to read');

  tell(nodes, 'uncordon', 'let a node take steps again, out of quarantine too', async (client, name) => {
    await client.uncordonNode(name);
    return 'takes steps';
  });

  withLimit(
    tell(
      nodes,
      'drain',
      'start nothing more on a node and wait until nothing runs on it',
      async (client, name, options) => {
        await client.drainNode(name, drainRequest(options));
        if (options.detach) return 'is drained';
        const node = await afterDraining(client, name);
        if (node === undefined) throw new HelixError('node.not-found', `node ${name} was removed meanwhile`);
        if (node === 'cordoned') return 'is drained: nothing runs on it, and nothing will until "helix nodes uncordon"';
        throw new HelixError(
          'job.wrong-state',
          `node ${name} is not drained: somebody called it off (it is ${node} now)`,
        );
      },
    ),
  );

  withLimit(
    tell(nodes, 'retire', 'drain a node and forget it', async (client, name, options) => {
      await client.retireNode(name, drainRequest(options));
      if (options.detach) return 'is drained and then forgotten';
      const state = await afterDraining(client, name);
      if (state === undefined) return 'is no longer a node';
      throw new HelixError('job.wrong-state', `node ${name} stays: somebody called it off (it is ${state} now)`);
    }),
  );
}

function tell(
  nodes: Command,
  verb: string,
  description: string,
  act: (client: HelixClient, name: string, options: Options) => Promise<string>,
): Command {
  return nodes
    .command(verb)
    .description(description)
    .argument('<name>')
    .action(async (name: string, _options: unknown, self: Command) => {
      const options = self.optsWithGlobals<Options>();
      const text = await act(await connect(options), name, options);
      if (options.json) printJson({ name, action: verb });
      else process.stdout.write(`${name} ${text}\n`);
    });
}

function withLimit(command: Command): Command {
  return command
    .option('--limit <time>', 'how long what runs may go on before it is run elsewhere, like 90s, 30m or 2h', '10m')
    .option('--reason <text>', 'why, for others to read')
    .option('--detach', 'do not wait for it');
}

function drainRequest({ limit = '10m', reason }: Options): { limitMs: number; reason?: string } {
  // At once is a limit too, though no time.
  const limitMs = /^0(ms|s|m|h)?$/.test(limit) ? 0 : parseDuration('--limit', limit);
  return { limitMs, ...(reason === undefined ? {} : { reason: cleanLine(reason) }) };
}

/** Waits until the node is held in another way; gives its hold's name or its state, undefined when it is gone. */
async function afterDraining(client: HelixClient, name: string): Promise<string | undefined> {
  for (;;) {
    const node = (await client.listNodes()).find((one) => one.name === name);
    if (!node) return undefined;
    if (node.hold?.kind !== 'draining') return node.hold?.kind ?? node.state;
    await new Promise((resolve) => setTimeout(resolve, lookEveryMs));
  }
}
