import { readFileSync } from 'node:fs';
import { extname } from 'node:path';
import { HelixError } from '../../contracts/error.ts';
import { readIniInventory } from './ansible-ini.ts';
import { readYamlInventory } from './ansible-yaml.ts';
import type { Candidate, Host } from './candidate.ts';
import type { Found } from './found.ts';
import { readProxyCommand } from './import-ssh-config.ts';
import type { Inventory } from './inventory.ts';
import { nodeName, parseTarget } from './parse-target.ts';
import { shellWords } from './shell-words.ts';
import { expandHome } from './ssh-config.ts';

/**
 * Machines of an Ansible inventory, INI or YAML (by its name: .yml, .yaml, .json). A host's groups become labels with the value `true`. Throws
 * `usage.invalid` when the file cannot be read.
 */
export function importAnsible(file: string): Found {
  const inventory = readInventory(file);
  const found: Found = { candidates: [], refused: [], notices: [] };
  for (const group of inventory.emptyGroups()) {
    if (group !== 'all' && group !== 'ungrouped') found.notices.push(`group ${group} has no hosts`);
  }
  for (const host of inventory.hosts()) {
    try {
      const candidate = toCandidate(inventory, host, found.notices);
      if (candidate) found.candidates.push(candidate);
    } catch (error) {
      found.refused.push({ name: host, reason: (error as Error).message });
    }
  }
  if (found.candidates.length + found.refused.length === 0) {
    throw new HelixError('usage.invalid', `${file} has no hosts that are reached by SSH`);
  }
  return found;
}

function readInventory(file: string): Inventory {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    throw new HelixError('usage.invalid', `the inventory ${file} cannot be read (${(error as Error).message})`);
  }
  if (text.startsWith('#!')) {
    throw new HelixError(
      'usage.invalid',
      `${file} is a program: save what "ansible-inventory --list -y" prints and import that`,
    );
  }
  try {
    return ['.yml', '.yaml', '.json'].includes(extname(file)) ? readYamlInventory(text) : readIniInventory(text);
  } catch (error) {
    throw new HelixError('usage.invalid', `${file}: ${(error as Error).message}`);
  }
}

/** Undefined for a host that is not reached by SSH. */
function toCandidate(inventory: Inventory, name: string, notices: string[]): Candidate | undefined {
  const vars = inventory.varsOf(name);
  const get = (...names: string[]): string | undefined => {
    const value = names.map((one) => vars[one]).find((one) => one !== undefined);
    if (value === undefined || !value.includes('{{')) return value;
    throw new HelixError('usage.invalid', `${names[0]} is a template (${value}), and only Ansible can fill it in`);
  };
  const connection = get('ansible_connection') ?? 'ssh';
  if (!['ssh', 'smart', 'paramiko', 'paramiko_ssh'].includes(connection)) {
    notices.push(`${name} is passed over: its connection is ${connection}`);
    return undefined;
  }
  if (get('ansible_password', 'ansible_ssh_pass') !== undefined) {
    notices.push(`${name}: passwords are not used; it needs a key`);
  }
  const port = get('ansible_port', 'ansible_ssh_port');
  const user = get('ansible_user', 'ansible_ssh_user');
  const keyFile = get('ansible_ssh_private_key_file', 'ansible_private_key_file');
  const login = {
    ...(user === undefined ? {} : { user }),
    ...(keyFile === undefined ? {} : { keyFile: expandHome(keyFile) }),
  };
  const ways = [get('ansible_ssh_common_args'), get('ansible_ssh_extra_args')].filter((args) => args !== undefined);
  const jumps = ways.flatMap((args) => readJumps(args, name, notices));
  return {
    name: nodeName(name),
    host: get('ansible_host', 'ansible_ssh_host') ?? name,
    ...(port === undefined ? {} : { port: Number(port) }),
    ...login,
    jumps: jumps.map((jump) => ({ ...login, ...jump })),
    labels: Object.fromEntries(inventory.groupsOf(name).map((group) => [labelName(group), 'true'])),
  };
}

/** Labels begin with a letter. */
function labelName(group: string): string {
  return group.replace(/^[^A-Za-z]+/, '').replaceAll(/[^A-Za-z0-9_.-]/g, '_') || `group${group}`;
}

/** The hosts on the way that arguments of ssh name: `-J`, `-o ProxyJump=`, or the ProxyCommand that does the same. */
function readJumps(args: string, name: string, notices: string[]): Host[] {
  const words = shellWords(args);
  if (!words) throw new HelixError('usage.invalid', `a quote in its SSH arguments is not closed: ${args}`);
  const jumps: Host[] = [];
  for (let at = 0; at < words.length; at += 1) {
    const word = words[at]!;
    const [flag, attached] = [word.slice(0, 2), word.slice(2)];
    if (flag !== '-J' && flag !== '-o') {
      notices.push(`${name}: the SSH argument ${word} is not followed`);
      continue;
    }
    const value = attached || (words[(at += 1)] ?? '');
    if (flag === '-J') jumps.push(...value.split(',').map(parseTarget));
    else jumps.push(...readOption(value, name, notices));
  }
  return jumps;
}

function readOption(option: string, name: string, notices: string[]): Host[] {
  const [, key = option, value = ''] = /^([A-Za-z]+)[=\s]\s*(.*)$/.exec(option) ?? [];
  if (key.toLowerCase() === 'proxyjump') return value.split(',').map(parseTarget);
  if (key.toLowerCase() === 'proxycommand') {
    const jump = readProxyCommand(value);
    if (jump !== undefined) return [parseTarget(jump)];
    throw new HelixError('usage.invalid', `it is reached by a ProxyCommand (${value}), which is not supported`);
  }
  notices.push(`${name}: the SSH option ${key} is not followed`);
  return [];
}
