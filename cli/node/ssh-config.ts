import { globSync, readFileSync } from 'node:fs';
import { homedir, userInfo } from 'node:os';
import { isAbsolute, join } from 'node:path';
import { type Directive, glob, type Line, SSHConfig } from 'ssh-config';
import { HelixError } from '../../contracts/error.ts';

/** Settings of one host by lower-case name; of each the first that applies, of IdentityFile all. */
export interface HostSettings {
  first: Map<string, string>;
  identityFiles: string[];
}

const mostIncludes = 16;

/**
 * A configuration of OpenSSH as ssh_config(5) describes it: Host patterns with negation, Include at any place, the first value counts. `Match`
 * is passed over with a notice, because what it asks for (commands, the network, the local user) is not known beforehand.
 */
export class SshConfigFile {
  readonly notices: string[] = [];
  readonly #lines: Line[];
  readonly #file: string;
  readonly #included = new Map<string, Line[]>();

  /** Throws `usage.invalid` when the file cannot be read or understood. */
  constructor(file: string) {
    this.#file = file;
    this.#lines = this.#read(file);
  }

  /** The names that Host lines spell out, in their order. */
  names(): string[] {
    const names = new Set<string>();
    this.#visit(this.#lines, 0, (patterns) => {
      for (const pattern of patterns) if (!/[*?!]/.test(pattern)) names.add(pattern);
      return true;
    });
    return [...names];
  }

  /** Whether a Host line other than `*` is meant for the name. */
  describes(name: string): boolean {
    let described = false;
    this.#visit(this.#lines, 0, (patterns) => {
      const matches = glob(patterns, name);
      described ||= matches && patterns.some((pattern) => pattern !== '*' && !pattern.startsWith('!'));
      return matches;
    });
    return described;
  }

  settings(name: string): HostSettings {
    const settings: HostSettings = { first: new Map(), identityFiles: [] };
    const take = (key: string, value: string): void => {
      if (key === 'identityfile') settings.identityFiles.push(value);
      else if (!settings.first.has(key)) settings.first.set(key, value);
    };
    this.#visit(this.#lines, 0, (patterns) => glob(patterns, name), take);
    return settings;
  }

  /** Goes through the lines in their order, into the Host sections that `enter` says. */
  #visit(
    lines: Line[],
    depth: number,
    enter: (patterns: string[]) => boolean,
    take: (key: string, value: string) => void = () => {},
  ): void {
    for (const line of lines) {
      if (line.type !== SSHConfig.DIRECTIVE) continue;
      const key = line.param.toLowerCase();
      if (key === 'host') {
        if ('config' in line && enter(words(line))) this.#visit([...line.config], depth, enter, take);
      } else if (key === 'match') {
        this.#notice(`${this.#file}: "Match ${words(line).join(' ')}" is not followed`);
      } else if (key === 'include') {
        for (const file of words(line).flatMap((pattern) => this.#find(pattern))) {
          if (depth >= mostIncludes) throw new HelixError('usage.invalid', `${file} is included too deeply`);
          this.#visit(this.#read(file), depth + 1, enter, take);
        }
      } else take(key, words(line).join(' '));
    }
  }

  /** Relative paths are meant from ~/.ssh, wherever the file lies. */
  #find(pattern: string): string[] {
    const path = expandHome(pattern);
    return globSync(isAbsolute(path) ? path : join(homedir(), '.ssh', path)).sort();
  }

  #read(file: string): Line[] {
    const known = this.#included.get(file);
    if (known) return known;
    try {
      const lines = [...SSHConfig.parse(readFileSync(file, 'utf8'))];
      this.#included.set(file, lines);
      return lines;
    } catch (error) {
      throw new HelixError(
        'usage.invalid',
        `${file} cannot be read as an ssh_config file: ${(error as Error).message}`,
      );
    }
  }

  #notice(text: string): void {
    if (!this.notices.includes(text)) this.notices.push(text);
  }
}

function words({ value }: Directive): string[] {
  return typeof value === 'string' ? [value] : value.map(({ val }) => val);
}

export function expandHome(path: string): string {
  return path === '~' || path.startsWith('~/') ? join(homedir(), path.slice(1)) : path;
}

/** Replaces the tokens of ssh_config(5) that are known before a connection; an unknown one stays as it is. */
export function expandTokens(text: string, { host, name, user }: { host: string; name: string; user: string }): string {
  const tokens: Record<string, string> = {
    '%%': '%',
    '%h': host,
    '%n': name,
    '%r': user,
    '%u': userInfo().username,
    '%d': homedir(),
  };
  return text.replaceAll(/%./g, (token) => tokens[token] ?? token);
}
