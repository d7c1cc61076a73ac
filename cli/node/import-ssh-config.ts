import { existsSync } from 'node:fs';
import { homedir, userInfo } from 'node:os';
import { join } from 'node:path';
import { glob } from 'ssh-config';
import { HelixError } from '../../contracts/error.ts';
import type { Candidate, Host } from './candidate.ts';
import type { Found } from './found.ts';
import { nodeName, parseTarget } from './parse-target.ts';
import { expandHome, expandTokens, SshConfigFile } from './ssh-config.ts';

/** Settings that would lead to another host than the import says, or that it cannot follow. */
const notFollowed = ['hostkeyalias', 'pkcs11provider', 'bindaddress', 'proxyusefdpass'];
const mostJumps = 8;

/**
 * Machines of an ssh_config file: all that Host lines spell out, or those that match one of the patterns; a pattern without wildcards
 * may also be a name that a wildcard of the file is meant for. Throws `usage.invalid` when the file cannot be read or nothing matches.
 */
export function importSshConfig(file: string = join(homedir(), '.ssh', 'config'), patterns: string[] = []): Found {
  const config = new SshConfigFile(file);
  const listed = config.names().filter((name) => patterns.length === 0 || glob(patterns, name));
  const further = patterns.filter((one) => !/[*?!]/.test(one) && !listed.includes(one) && config.describes(one));
  const names = [...listed, ...further];
  if (names.length === 0) {
    const what = patterns.length > 0 ? `no host that matches ${patterns.join(' ')}` : 'no host with a name of its own';
    throw new HelixError('usage.invalid', `${file} has ${what}`);
  }
  const found: Found = { candidates: [], refused: [], notices: [] };
  for (const name of names) {
    try {
      found.candidates.push(toCandidate(config, name, found.notices));
    } catch (error) {
      found.refused.push({ name, reason: (error as Error).message });
    }
  }
  found.notices.unshift(...config.notices);
  return found;
}

function toCandidate(config: SshConfigFile, name: string, notices: string[]): Candidate {
  const host = resolveHost(config, name, notices);
  return { name: nodeName(name), ...host, jumps: resolveJumps(config, name, []) };
}

/** Where a name leads and how to log in there. */
function resolveHost(config: SshConfigFile, name: string, notices: string[] = []): Host {
  const { first, identityFiles } = config.settings(name);
  const user = first.get('user') ?? userInfo().username;
  const host = expandTokens(first.get('hostname') ?? name, { host: name, name, user });
  const expand = (path: string): string => expandHome(expandTokens(path, { host, name, user }));
  const keys = identityFiles.filter((file) => file !== 'none').map(expand);
  const keyFile = keys.find((key) => existsSync(key));
  if (keys.length > 0 && !keyFile) {
    notices.push(`${name}: ${keys.join(', ')} is not there; the SSH agent and your default keys are tried`);
  }
  const certificate = first.get('certificatefile');
  if (certificate !== undefined && certificate !== 'none' && expand(certificate) !== `${keyFile}-cert.pub`) {
    const place = keyFile ? `${keyFile}-cert.pub` : 'KEY-cert.pub beside its key file';
    notices.push(`${name}: certificatefile is not followed; a certificate is looked for as ${place}`);
  }
  for (const setting of notFollowed) if (first.has(setting)) notices.push(`${name}: ${setting} is not followed`);
  // Several may be named; the first is where OpenSSH writes to.
  const knownHosts = first.get('userknownhostsfile')?.split(' ')[0];
  const port = first.get('port');
  return {
    host,
    user,
    ...(port === undefined ? {} : { port: readPort(port) }),
    ...(keyFile ? { keyFile } : {}),
    ...(knownHosts && !['none', '/dev/null'].includes(knownHosts) ? { knownHosts: expand(knownHosts) } : {}),
  };
}

function readPort(text: string): number {
  if (/^\d{1,5}$/.test(text)) return Number(text);
  throw new HelixError('usage.invalid', `"${text}" is no port`);
}

/** The hosts on the way. Of several that are named together only the first is reached by a way of its own, as OpenSSH does. */
function resolveJumps(config: SshConfigFile, name: string, above: string[]): Host[] {
  if (above.includes(name)) {
    throw new HelixError('usage.invalid', `its ProxyJump leads in a circle: ${[...above, name].join(' -> ')}`);
  }
  const named = namedJumps(config, name);
  const hosts = named.map((text) => {
    const given = parseTarget(text);
    return { ...resolveHost(config, given.host), ...withoutHost(given) };
  });
  const [first] = named;
  const before = first === undefined ? [] : resolveJumps(config, parseTarget(first).host, [...above, name]);
  if (before.length + hosts.length > mostJumps) {
    throw new HelixError('usage.invalid', `more than ${mostJumps} hosts are on the way to it`);
  }
  return [...before, ...hosts];
}

function withoutHost({ port, user }: Host): Partial<Host> {
  return { ...(port === undefined ? {} : { port }), ...(user === undefined ? {} : { user }) };
}

/** Of ProxyJump and ProxyCommand the one that comes first counts; they exclude each other. */
function namedJumps(config: SshConfigFile, name: string): string[] {
  const { first } = config.settings(name);
  const way = [...first].find(([key]) => key === 'proxyjump' || key === 'proxycommand');
  if (!way || way[1].toLowerCase() === 'none') return [];
  if (way[0] === 'proxyjump') return way[1].split(',').map((text) => text.trim());
  const jump = readProxyCommand(way[1]);
  if (jump !== undefined) return [jump];
  throw new HelixError(
    'usage.invalid',
    `it is reached by a ProxyCommand (${way[1]}), which is not supported: write it as ProxyJump`,
  );
}

/** The host of a command that does what ProxyJump does: `ssh -W %h:%p host`. */
export function readProxyCommand(command: string): string | undefined {
  const match =
    /^ssh\s+(?:-q\s+)?(?:-W\s+\[?%h\]?:%p\s+(?:-q\s+)?(\S+)|([^-\s]\S*)\s+(?:-q\s+)?-W\s+\[?%h\]?:%p)$/.exec(
      command.trim(),
    );
  return match?.[1] ?? match?.[2];
}
