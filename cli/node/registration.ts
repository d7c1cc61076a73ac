import type { Command } from 'commander';
import { HelixError } from '../../contracts/error.ts';
import type { NodeRegistration } from '../../contracts/node.ts';
import { collect } from '../collect.ts';
import { existingFile, type HostKeyOptions, toRegistration } from './candidate.ts';
import { nodeName, parseTarget } from './parse-target.ts';

/** The options of `nodes add` as commander gives them. */
export interface NodeOptions extends HostKeyOptions {
  name?: string;
  key?: string;
  passphrase?: string;
  jump: string[];
  jumpFingerprint: string[];
  fingerprint?: string;
  root?: string;
  slots?: string;
  label: string[];
}

export function addNodeOptions(command: Command): Command {
  return command
    .argument('<target>', '[user@]host[:port]')
    .option('--name <name>', 'name of the node (default: the host)')
    .option('--key <file>', 'private key (default: the SSH agent and your default keys)')
    .option('--passphrase <reference>', 'where the passphrase of the key is: env:VARIABLE or file:/absolute/path')
    .option(
      '--jump <target>',
      'a host to go through, [user@]host[:port]; several times for several, the first one first',
      collect,
      [],
    )
    .option('--known-hosts <file>', 'trust the host key in this file (default: ~/.ssh/known_hosts)')
    .option('--fingerprint <sha256>', 'trust the host key with this fingerprint, SHA256:...')
    .option('--jump-fingerprint <sha256>', 'the same for the hosts to go through, in their order', collect, [])
    .option('--accept-new', 'trust the host keys seen on this first connection')
    .option('--root <folder>', 'folder on the machine for everything (default: ~/.helix)')
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
  const { key, passphrase, fingerprint, jumpFingerprint, acceptNew, knownHosts, root, slots } = options;
  if ([knownHosts, fingerprint, acceptNew].filter((value) => value !== undefined).length > 1) {
    throw new HelixError('usage.invalid', 'give only one of --known-hosts, --fingerprint and --accept-new');
  }
  if (jumpFingerprint.length > options.jump.length) {
    throw new HelixError('usage.invalid', 'there are more --jump-fingerprint than --jump');
  }
  if (passphrase !== undefined && key === undefined) {
    throw new HelixError('usage.invalid', '--passphrase goes with --key');
  }
  const login = {
    ...(key === undefined ? {} : { keyFile: await existingFile('--key:', key) }),
    ...(passphrase === undefined ? {} : { passphrase }),
  };
  const jumps = options.jump.map((jump, index) => {
    const sha256 = jumpFingerprint[index];
    return { ...parseTarget(jump), ...login, ...(sha256 === undefined ? {} : { fingerprint: sha256 }) };
  });
  const host = parseTarget(target);
  return toRegistration(
    {
      ...host,
      ...login,
      name: options.name ?? nodeName(host.host),
      jumps,
      labels: parseLabels(options.label),
      ...(fingerprint === undefined ? {} : { fingerprint }),
      ...(root === undefined ? {} : { root }),
      ...(slots === undefined ? {} : { slots: Number(slots) }),
    },
    options,
  );
}

export function parseLabels(texts: readonly string[]): Record<string, string> {
  const labels = texts.map((text) => {
    const [, name, value] = /^([^=]+)=(.*)$/.exec(text) ?? [];
    if (name === undefined || value === undefined) {
      throw new HelixError('usage.invalid', `--label takes NAME=VALUE, not "${text}"`);
    }
    return [name, value] as const;
  });
  return Object.fromEntries(labels);
}
