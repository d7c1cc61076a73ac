import { homedir } from 'node:os';
import { join, resolve } from 'node:path';
import { text } from 'node:stream/consumers';
import { stripVTControlCharacters } from 'node:util';
import { HelixError } from '../../contracts/error.ts';
import { joinFleet } from './join.ts';

/** What a user says on the machine. */
export interface JoinRequest {
  /** `-` is read from standard input; not needed by a machine that has joined before. */
  token?: string | undefined;
  /** Folder for everything; `~/.helix` when left out. */
  root?: string | undefined;
}

/** Joins, or comes back, and serves the controller until INT or TERM; says on stdout what happens. Throws like `joinFleet`. */
export async function runJoiner({ token, root = '~/.helix' }: JoinRequest): Promise<void> {
  if (root === '') throw new HelixError('usage.invalid', '--root takes the path of a folder');
  const ending = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => ending.abort());
  await joinFleet({
    token: token === '-' ? await text(process.stdin) : token,
    root: resolve(root === '~' || root.startsWith('~/') ? join(homedir(), root.slice(1)) : root),
    say: (line) => void process.stdout.write(`${stripVTControlCharacters(line).replaceAll(/\p{C}+/gu, ' ')}\n`),
    signal: ending.signal,
  });
}
