import type { Command } from 'commander';
import type { NodeRecord } from '../../contracts/node.ts';
import { connect, type GlobalOptions } from '../connect.ts';
import { describeHistory } from '../node/history.ts';
import { addLifecycleCommands } from '../node/lifecycle.ts';
import { watchNodes } from '../node/live-table.ts';
import { describeFacts } from '../node/describe-facts.ts';
import { addImportCommand } from '../node/import-command.ts';
import { addNodeOptions, buildRegistration, type NodeOptions } from '../node/registration.ts';
import { addTokenCommands } from '../node/token-commands.ts';
import { warnOfSharedMachines } from '../node/shared-machines.ts';
import { printJson } from '../output.ts';
import { cleanLine } from '../text/clean.ts';
import { styledStatus } from '../text/style.ts';
import { table } from '../text/table.ts';

type JsonOptions = GlobalOptions & { json?: boolean; watch?: boolean };

export function configure(command: Command): void {
  // An option of the parent and of its subcommands alike: commander gives it to whichever comes first, so all read it globally.
  command
    .option('--json', 'print nodes as JSON')
    .option('--watch', 'show how the nodes are, anew every second until Ctrl-C')
    .action(list);
  command.command('list').description('list the nodes').action(list);

  addNodeOptions(command.command('add').description('add a machine that is reached by SSH')).action(
    async (target: string, _options: unknown, self: Command) => {
      const options = self.optsWithGlobals<NodeOptions & JsonOptions>();
      const registration = await buildRegistration(target, options);
      const client = await connect(options);
      const node = await client.addNode(registration);
      show(node, options);
      warnOfSharedMachines(await client.listNodes(), [node.name]);
    },
  );
  addImportCommand(command);
  addTokenCommands(command);

  command
    .command('show')
    .description('show what a node has, and how it was')
    .argument('<name>')
    .action(async (name: string, _options: unknown, self: Command) => {
      const options = self.optsWithGlobals<JsonOptions>();
      const client = await connect(options);
      const node = await client.getNode(name);
      if (options.json) return show(node, options);
      const hour = new Date(Date.now() - 3_600_000);
      const history = [await client.listNodeEvents(name, 10), await client.readNodeMetrics(name, 60, hour)] as const;
      show(node, options, true);
      process.stdout.write(describeHistory(...history));
    });

  command
    .command('probe')
    .description('connect to a node and detect anew what it has')
    .argument('<name>')
    .action(async (name: string, _options: unknown, self: Command) => {
      const options = self.optsWithGlobals<JsonOptions>();
      const client = await connect(options);
      show(await client.probeNode(name), options, true);
    });

  addLifecycleCommands(command);

  command
    .command('remove')
    .description('forget a node')
    .argument('<name>')
    .option('--purge', 'remove Helix from its machine too: programs, caches, and what runs there')
    .action(async (name: string, _options: unknown, self: Command) => {
      const options = self.optsWithGlobals<JsonOptions & { purge?: boolean }>();
      const client = await connect(options);
      const purge = options.purge === true;
      const { left } = await client.removeNode(name, { purge });
      if (options.json) return printJson({ name, action: 'remove', ...(purge ? { left } : {}) });
      process.stdout.write(`${name} is no longer a node${purge ? ', and Helix is gone from its machine' : ''}\n`);
      if (left.length > 0) {
        process.stderr.write(`note: not Helix's and left in its folder: ${left.map(cleanLine).join(', ')}\n`);
      }
    });
}

async function list(_options: unknown, self: Command): Promise<void> {
  const options = self.optsWithGlobals<JsonOptions>();
  const client = await connect(options);
  if (options.watch) return await watchNodes(client, options.json === true);
  const nodes = await client.listNodes();
  if (options.json) printJson(nodes);
  else
    process.stdout.write(
      nodes.length === 0 ? 'there are no nodes: "helix nodes add" adds one\n' : describeNodes(nodes),
    );
}

function show(node: NodeRecord, { json }: JsonOptions, withFacts = false): void {
  if (json) printJson(node);
  else process.stdout.write(`${describeNodes([node])}${withFacts ? describeFacts(node.facts) : ''}`);
}

function describeNodes(nodes: readonly NodeRecord[]): string {
  return table(
    ['NAME', 'STATE', 'BUSY', 'PLATFORM', 'CPUS', 'MEMORY', 'ADDRESS', 'LABELS'],
    nodes.map(({ name, state, reason, busy, slots, facts, reach, ssh, labels }) => [
      name,
      styledStatus(state) + (reason ? ` (${cleanLine(reason)})` : ''),
      `${busy}/${slots}`,
      `${facts.os}-${facts.arch}`,
      String(facts.cpus),
      `${Math.round(facts.memory / 2 ** 30)} GiB`,
      ssh
        ? `${ssh.user}@${ssh.host}:${ssh.port}`
        : reach === 'joined'
          ? `joined (${cleanLine(facts.hostname)})`
          : 'this machine',
      Object.entries(labels)
        .map(([label, value]) => `${label}=${value}`)
        .join(' '),
    ]),
  );
}
