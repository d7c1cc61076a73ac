import { writeFile } from 'node:fs/promises';
import { basename } from 'node:path';
import type { Command } from 'commander';
import { HelixError } from '../../contracts/error.ts';
import type { NodeToken } from '../../contracts/node.ts';
import { collect } from '../collect.ts';
import { connect, type GlobalOptions } from '../connect.ts';
import { printJson } from '../output.ts';
import { parseDuration } from '../text/duration.ts';
import { table } from '../text/table.ts';
import { parseLabels } from './registration.ts';

interface Options extends GlobalOptions {
  json?: boolean;
  name?: string;
  slots?: string;
  label: string[];
  expires: string;
  address?: string;
  program?: string;
  revoke?: string;
}

/** Commands for machines that join by themselves. */
export function addTokenCommands(nodes: Command): void {
  nodes
    .command('token')
    .description('make a token with which one machine joins by itself, by "helix node join"')
    .option('--name <name>', 'name of the node (default: that of the machine)')
    .option('--slots <count>', 'how many steps at once (default: by its processors)')
    .option('--label <name=value>', 'a label to ask for in capability classes; may be given several times', collect, [])
    .option('--expires <time>', 'until when it can be used, like 30m or 24h', '1h')
    .option('--address <host[:port]>', 'where the machine finds this controller (default: its addresses and its name)')
    .option('--program <file>', 'also write the program here with which a machine joins that has Node but no HelixCode')
    .option('--revoke <id>', 'instead of making one: let nobody use this one any more')
    .action(async (_options: unknown, self: Command) => {
      const options = self.optsWithGlobals<Options>();
      if (options.revoke === undefined) await make(options);
      else await revoke(options, options.revoke);
    });

  nodes
    .command('tokens')
    .description('list the tokens that were made, newest first')
    .action(async (_options: unknown, self: Command) => {
      const options = self.optsWithGlobals<Options>();
      const tokens = await (await connect(options)).listNodeTokens();
      if (options.json) printJson(tokens);
      else process.stdout.write(tokens.length === 0 ? 'there are no tokens: "helix nodes token" makes one\n' : describe(tokens)); // prettier-ignore
    });
}

async function make(options: Options): Promise<void> {
  const { name, slots, label, expires, address, program, json } = options;
  const client = await connect(options);
  // First: a token is shown once.
  if (program !== undefined) await write(program, await client.readNodeProgram());
  const made = await client.makeNodeToken({
    ...(name === undefined ? {} : { name }),
    ...(slots === undefined ? {} : { slots: Number(slots) }),
    labels: parseLabels(label),
    expiresMs: parseDuration('--expires', expires),
    ...(address === undefined ? {} : { address }),
  });
  const command = `${program === undefined ? 'helix node join' : `node ${basename(program)}`} ${made.token}`;
  if (json) return printJson({ ...made, command });
  process.stdout.write(
    `token ${made.id}, for one machine, until ${made.expiresAt}; it is shown this once. ${program === undefined ? 'Run' : `Copy ${program} to the machine, and run`} on the machine:\n\n  ${command}\n\n` +
      `It will connect to ${made.addresses.join(' or ')}.\n`,
  );
}

async function write(file: string, content: Uint8Array): Promise<void> {
  try {
    await writeFile(file, content);
  } catch (error) {
    throw new HelixError('usage.invalid', `--program: ${file} cannot be written (${(error as Error).message})`);
  }
}

async function revoke(options: Options, id: string): Promise<void> {
  if (!/^[0-9a-f]{16}$/.test(id)) {
    throw new HelixError('usage.invalid', '--revoke takes the id of a token: "helix nodes tokens" lists them');
  }
  await (await connect(options)).revokeNodeToken(id);
  if (options.json) printJson({ id, action: 'revoke' });
  else process.stdout.write(`token ${id} is revoked\n`);
}

function describe(tokens: readonly NodeToken[]): string {
  return table(
    ['ID', 'STATE', 'NAME', 'EXPIRES', 'NODE', 'LABELS'],
    tokens.map(({ id, state, name, expiresAt, node, labels }) => [
      id,
      state,
      name ?? '',
      expiresAt,
      node ?? '',
      Object.entries(labels)
        .map(([label, value]) => `${label}=${value}`)
        .join(' '),
    ]),
  );
}
