import { isUtf8 } from 'node:buffer';
import { HelixError } from '../contracts/error.ts';

/*
 * Git's paths are bytes, ours are strings. A path that is valid UTF-8 is that text. In any other path each byte that belongs to no
 * valid sequence becomes a lone surrogate, U+DC80 to U+DCFF (as Python's surrogateescape does): reversible, never ambiguous, and it
 * survives JSON.
 */

/** The string for a path's bytes. */
export function decodePath(bytes: Buffer): string {
  if (isUtf8(bytes)) return bytes.toString('utf8');
  let text = '';
  for (let at = 0; at < bytes.length;) {
    const length = [1, 2, 3, 4].find((size) => at + size <= bytes.length && isUtf8(bytes.subarray(at, at + size)));
    text += length ? bytes.toString('utf8', at, at + length) : String.fromCharCode(0xdc00 + bytes[at]!);
    at += length ?? 1;
  }
  return text;
}

/** The bytes of a path that `decodePath` gave, or of any text. */
export function encodePath(path: string): Buffer {
  if (path.isWellFormed()) return Buffer.from(path);
  return Buffer.concat(
    Array.from(path, (character) => {
      const code = character.codePointAt(0)!;
      return code >= 0xdc80 && code <= 0xdcff ? Buffer.from([code - 0xdc00]) : Buffer.from(character);
    }),
  );
}

/** A path below `root` as the file system takes it. */
export function absolutePath(root: string, path: string): string | Buffer {
  if (path.isWellFormed()) return `${root}/${path}`;
  return Buffer.concat([Buffer.from(`${root}/`), encodePath(path)]);
}

/** Splits what git prints with `-z`. */
export function splitRecords(output: Buffer): Buffer[] {
  const records: Buffer[] = [];
  for (let start = 0; start < output.length;) {
    const end = output.indexOf(0, start);
    records.push(output.subarray(start, end < 0 ? output.length : end));
    start = end < 0 ? output.length : end + 1;
  }
  return records;
}

/** What git reads with `-z`. */
export function joinRecords(paths: Iterable<string>): Buffer {
  const parts: Buffer[] = [];
  for (const path of paths) parts.push(encodePath(path), zero);
  return Buffer.concat(parts);
}

const zero = Buffer.alloc(1);

export function isSameList(left: string[], right: string[]): boolean {
  return left.length === right.length && left.every((item, index) => item === right[index]);
}

/** The folders above a path, the nearest first, without the root. */
export function* parentFolders(path: string): Generator<string> {
  for (let slash = path.lastIndexOf('/'); slash > 0; slash = path.lastIndexOf('/', slash - 1))
    yield path.slice(0, slash);
}

/**
 * A workspace-relative path without `.` parts and doubled or trailing slashes.
 * Throws HelixError `usage.invalid` for the workspace itself, and for a path that leaves it or names git's own folder.
 */
export function normalizeRelative(path: string, what: string): string {
  const parts = path.split('/').filter((part) => part !== '' && part !== '.');
  const isBad = parts.some((part) => part === '..' || part.toLowerCase() === '.git');
  if (isBad || parts.length === 0 || path.startsWith('/') || path.includes('\0')) {
    const name = JSON.stringify(path);
    throw new HelixError(
      'usage.invalid',
      `${what} ${name} is no path inside the workspace: give one relative to its root, without ".." and ".git"`,
    );
  }
  return parts.join('/');
}

/**
 * A set of workspace-relative paths and all that is below them. `*` stands for any name or part of one, `**` for any number of
 * folders (`packages/<any>/node_modules`).
 */
export class PathSet {
  /** As given. */
  readonly globs: string[];
  /** The same set as patterns for git's `--exclude`. */
  readonly patterns: string[];
  readonly #expression: RegExp | undefined;

  constructor(globs: string[], literals: string[] = []) {
    this.globs = globs;
    const cleaned = globs.map((glob) => normalizeRelative(glob, 'the excluded path'));
    this.patterns = [...cleaned.map((glob) => `/${glob}`), ...literals.map((path) => `/${literalPattern(path)}`)];
    const sources = [...cleaned.map(globSource), ...literals.map((path) => escapeExpression(path))];
    if (sources.length > 0) this.#expression = new RegExp(`^(?:${sources.join('|')})(?:/|$)`, 's');
  }

  get isEmpty(): boolean {
    return this.#expression === undefined;
  }

  has(path: string): boolean {
    return this.#expression?.test(path) ?? false;
  }

  /** Whether something in the set may be below the folder. */
  mayReachInto(folder: string): boolean {
    return this.patterns.some((pattern) => {
      const wild = pattern.search(/[*?\\]/);
      const fixed = wild < 0 ? pattern : pattern.slice(0, wild);
      return fixed.startsWith(`/${folder}/`) || (wild >= 0 && `/${folder}/`.startsWith(fixed));
    });
  }
}

function globSource(glob: string): string {
  return glob
    .split(/(\*\*\/|\*\*|\*)/)
    .map((part) => ({ '**/': '(?:[^/]+/)*', '**': '.*', '*': '[^/]*' })[part] ?? escapeExpression(part))
    .join('');
}

function escapeExpression(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|/-]/g, '\\$&');
}

// A lone surrogate stands for one byte, which cannot be given in an argument; `?` matches any one byte.
function literalPattern(path: string): string {
  return Array.from(path, (character) =>
    character.isWellFormed() ? character.replace(/[\\*?[\]#! ]/, '\\$&') : '?',
  ).join('');
}
