import { access } from 'node:fs/promises';
import { homedir, userInfo } from 'node:os';
import { join, resolve } from 'node:path';
import type { Command } from 'commander';
import { HelixError } from '../../contracts/error.ts';
import { type HostKeyPolicy, type NodeRegistration, nodeRegistrationSchema } from '../../contracts/node.ts';

/** The options of `nodes add` as commander gives them. */
export interface NodeOptions {
  name?: string;
  key?: string;
  knownHosts?: string;
  fingerprint?: string;
  acceptNew?: boolean;
  slots?: string;
  label: string[];
}

const collect = (value: string, before: string[]) => [...before, value];

export function addNodeOptions(command: Command): Command {
  return command
    .argument('<target>', '[user@]host[:port]')
    .option('--name <name>', 'name of the node (default: the host)')
    .option('--key <file>', 'private key (default: the SSH agent and your default keys)')
    .option('--known-hosts <file>', 'trust the host key in this file (default: ~/.ssh/known_hosts)')
    .option('--fingerprint <sha256>', 'trust the host key with this fingerprint, SHA256:...')
    .option('--accept-new', 'trust the host key seen on this first connection')
    .option('--slots <count>', 'how many steps at once (default: by its processors)')
    .option(
      '--label <name=value>',
      'a label to ask for in capability classes; may be given several times',
      collect,
      [],
    );
}

/** Throws `usage.invalid` that names what is wrong. */
export async function buildRegistration(target: string, options: NodeOptions): Promise<NodeRegistration> {
  const { user, host, port } = parseTarget(target);
  const parsed = nodeRegistrationSchema.safeParse({
    name: options.name ?? host.replaceAll(':', '-'),
    ssh: {
      host,
      port,
      user,
      ...(options.key === undefined ? {} : { keyFile: await existingFile('--key', options.key) }),
    },
    hostKey: await hostKeyPolicy(options),
    labels: parseLabels(options.label),
    ...(options.slots === undefined ? {} : { slots: Number(options.slots) }),
  });
  if (parsed.success) return parsed.data;
  const issues = parsed.error.issues.map(({ path, message }) => `${path.join('.')}: ${message}`);
  throw new HelixError('usage.invalid', issues.join('; '));
}

function parseTarget(target: string): { user: string; host: string; port: number } {
  const match = /^(?:([^@\s]+)@)?(?:\[([0-9A-Fa-f:.%\w]+)\]|([^@:\s[\]]+))(?::(\d{1,5}))?$/.exec(target);
  const [, user = userInfo().username, address, name, port = '22'] = match ?? [];
  const host = address ?? name;
  if (host === undefined || host.startsWith('-')) {
    throw new HelixError(
      'usage.invalid',
      `"${target}" is no target: write [user@]host[:port], an IPv6 address in brackets`,
    );
  }
  return { user, host, port: Number(port) };
}

async function hostKeyPolicy({ knownHosts, fingerprint, acceptNew }: NodeOptions): Promise<HostKeyPolicy> {
  const given = [knownHosts, fingerprint, acceptNew].filter((value) => value !== undefined);
  if (given.length > 1) {
    throw new HelixError('usage.invalid', 'give only one of --known-hosts, --fingerprint and --accept-new');
  }
  if (fingerprint !== undefined) return { kind: 'fingerprint', sha256: fingerprint };
  if (acceptNew) return { kind: 'accept-new' };
  if (knownHosts !== undefined) return { kind: 'known-hosts', file: await existingFile('--known-hosts', knownHosts) };
  const file = join(homedir(), '.ssh', 'known_hosts');
  if (await isReadable(file)) return { kind: 'known-hosts', file };
  throw new HelixError(
    'usage.invalid',
    `there is no ${file} to check the host key by: give --fingerprint SHA256:..., --known-hosts FILE or --accept-new`,
  );
}

function parseLabels(texts: readonly string[]): Record<string, string> {
  const labels = texts.map((text) => {
    const [, name, value] = /^([^=]+)=(.*)$/.exec(text) ?? [];
    if (name === undefined || value === undefined) {
      throw new HelixError('usage.invalid', `--label takes NAME=VALUE, not "${text}"`);
    }
    return [name, value] as const;
  });
  return Object.fromEntries(labels);
}

/** The server reads the file, from a working folder of its own: so the path becomes absolute. */
async function existingFile(option: string, file: string): Promise<string> {
  const path = resolve(file);
  if (await isReadable(path)) return path;
  throw new HelixError('usage.invalid', `${option}: ${path} cannot be read`);
}

function isReadable(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
