import { Writable } from 'node:stream';
import { HelixError } from '../contracts/error.ts';
import { expandBraces, mostAlternatives } from '../contracts/expand-braces.ts';
import type { SnapshotId } from '../contracts/snapshot.ts';
import { GitError, git, gitReason, gitResult } from './git.ts';
import type { GitOptions } from './git.ts';
import { emptyTree } from './objects.ts';
import { decodePath, normalizeRelative, splitRecords } from './paths.ts';
import type { SnapshotStore } from './store.ts';

export interface FileFilter {
  /** Workspace-relative file or folder; everything when left out. */
  path?: string | undefined;
  /** As in .gitignore: `*` stays in a folder, `**` crosses folders, one without `/` is meant at any depth; `{a,b}` are alternatives. Relative to `path`. */
  glob?: string | undefined;
}

export interface SearchOptions extends FileFilter {
  /** A regular expression of Perl's kind (of POSIX's extended kind where git lacks it), matched within lines. */
  pattern: string;
  ignoreCase?: boolean | undefined;
  /** Lines to show before and after each match. */
  context?: number | undefined;
  /** Most matching lines to return. */
  limit: number;
  /** Whether a file may be looked into; what is in the others does not show in any way. */
  accepts?: ((path: string) => boolean) | undefined;
  signal?: AbortSignal | undefined;
}

export interface FoundLine {
  path: string;
  /** From 1. */
  line: number;
  /** A long line is cut to what is around the match. */
  text: string;
  isMatch: boolean;
}

export interface SearchResult {
  lines: FoundLine[];
  matches: number;
  /** Whether there may be more. */
  isCut: boolean;
}

const longestSearchMs = 30_000;
const longestLine = 500;

/**
 * Searches the text files of a snapshot without a checkout. Binary files are left out.
 * Throws HelixError `usage.invalid` for a pattern that is no regular expression or takes too long, and for a path outside the workspace.
 */
export async function searchSnapshot(
  store: SnapshotStore,
  snapshot: SnapshotId,
  options: SearchOptions,
): Promise<SearchResult> {
  const { pattern, ignoreCase, context = 0, limit } = options;
  if (/[\n\0]/.test(pattern))
    throw new HelixError('usage.invalid', 'the pattern has a line break: a search finds single lines');
  const { root } = await store.contents(snapshot);
  const collected = new Lines(root, limit, options.accepts ?? (() => true));
  const args = ['-z', '-n', '--column', '-I', '--no-color', '--full-name', `-C${context}`];
  if (ignoreCase) args.push('-i');
  const tail = ['-e', pattern, root, '--', ...pathspecs(options)];
  let result = await grep(store, [...args, '-P', ...tail], collected, options.signal);
  if (/cannot use Perl-compatible regexes/.test(result.stderr)) {
    result = await grep(store, [...args, '-E', ...tail], collected, options.signal);
  }
  // 1 says that nothing was found.
  if (result.exitCode > 1 && !collected.isFull) {
    if (result.stderr.startsWith('fatal:')) throw badPattern(pattern, result.stderr);
    throw new GitError(['grep'], { ...result, stdout: Buffer.alloc(0) });
  }
  return collected.result();
}

async function grep(
  store: SnapshotStore,
  args: string[],
  output: Writable,
  signal: AbortSignal | undefined,
): Promise<{ exitCode: number; stderr: string }> {
  const limit = AbortSignal.timeout(longestSearchMs);
  const options: GitOptions = {
    gitDir: store.dir,
    config: { 'grep.threads': '2', 'grep.patternType': 'default' },
    // Characters instead of bytes, and patterns instead of literal paths.
    env: { LC_ALL: 'C.UTF-8', GIT_LITERAL_PATHSPECS: '0' },
    output,
    signal: signal ? AbortSignal.any([signal, limit]) : limit,
  };
  try {
    return await gitResult(['grep', ...args], options);
  } catch (error) {
    if (error === enough) return { exitCode: 0, stderr: '' };
    if (limit.aborted && !signal?.aborted) {
      throw new HelixError(
        'usage.invalid',
        `the search took longer than ${longestSearchMs / 1000} seconds: give a simpler pattern, or a path or glob to search less`,
        { cause: error },
      );
    }
    throw error;
  }
}

function badPattern(pattern: string, stderr: string): HelixError {
  const reason = gitReason(stderr)
    .replace(/^fatal: /, '')
    .replace(/^-e option, '.*': /s, '');
  return new HelixError(
    'usage.invalid',
    `the pattern ${JSON.stringify(pattern)} is no regular expression: ${reason}. Put a backslash before ( ) [ ] { } . * + ? ^ $ | \\ to find them as they are`,
  );
}

const enough = new Error('enough lines');

/** Reads the output of `git grep` as it comes, and ends it once there is enough. */
class Lines extends Writable {
  readonly #prefix: number;
  readonly #limit: number;
  readonly #accepts: (path: string) => boolean;
  readonly #known = new Map<string, boolean>();
  readonly #lines: FoundLine[] = [];
  #rest: Buffer = Buffer.alloc(0);
  #matches = 0;
  isFull = false;

  constructor(root: string, limit: number, accepts: (path: string) => boolean) {
    super();
    this.#accepts = accepts;
    this.#prefix = root.length + 1;
    this.#limit = limit;
  }

  override _write(chunk: Buffer, _encoding: string, done: (error?: Error) => void): void {
    let data = this.#rest.length > 0 ? Buffer.concat([this.#rest, chunk]) : chunk;
    for (;;) {
      const record = nextRecord(data);
      if (record === undefined) break;
      data = data.subarray(record.end);
      if (!record.line) continue;
      const path = record.line.path.slice(this.#prefix);
      if (!this.#isAccepted(path)) continue;
      if (record.line.isMatch && this.#matches === this.#limit) {
        this.isFull = true;
        return done(enough);
      }
      if (record.line.isMatch) this.#matches += 1;
      this.#lines.push({ ...record.line, path });
    }
    // A line that does not end is no reason to keep all of it.
    if (data.length > 16 << 20) {
      this.isFull = true;
      return done(enough);
    }
    this.#rest = Buffer.from(data);
    done();
  }

  #isAccepted(path: string): boolean {
    const known = this.#known.get(path);
    if (known !== undefined) return known;
    const isAccepted = this.#accepts(path);
    this.#known.set(path, isAccepted);
    return isAccepted;
  }

  result(): SearchResult {
    return { lines: this.#lines, matches: this.#matches, isCut: this.isFull };
  }
}

/** `path NUL line NUL [column NUL] text LF`, or `--` between groups. Undefined when it is not all there. */
function nextRecord(data: Buffer): { line?: FoundLine; end: number } | undefined {
  if (data.length >= 3 && data.toString('latin1', 0, 3) === '--\n') return { end: 3 };
  const pathEnd = data.indexOf(0);
  const numberEnd = pathEnd < 0 ? -1 : data.indexOf(0, pathEnd + 1);
  const lineEnd = numberEnd < 0 ? -1 : data.indexOf(0x0a, numberEnd + 1);
  if (lineEnd < 0) return undefined;
  const columnEnd = data.subarray(0, lineEnd).indexOf(0, numberEnd + 1);
  const column = columnEnd < 0 ? '' : data.toString('latin1', numberEnd + 1, columnEnd);
  const isMatch = /^\d+$/.test(column);
  const text = data.subarray((isMatch ? columnEnd : numberEnd) + 1, lineEnd);
  return {
    line: {
      path: decodePath(data.subarray(0, pathEnd)),
      line: Number(data.toString('latin1', pathEnd + 1, numberEnd)),
      text: clip(text, isMatch ? Number(column) - 1 : 0),
      isMatch,
    },
    end: lineEnd + 1,
  };
}

function clip(text: Buffer, at: number): string {
  if (text.length <= longestLine) return text.toString();
  const start = Math.max(0, Math.min(at - 100, text.length - longestLine));
  const end = start + longestLine;
  return `${start > 0 ? '…' : ''}${text.toString('utf8', start, end)}${end < text.length ? '…' : ''}`;
}

/** Paths of the files of a snapshot, sorted. Throws HelixError `usage.invalid` for a path outside the workspace. */
export async function findFiles(store: SnapshotStore, snapshot: SnapshotId, filter: FileFilter): Promise<string[]> {
  const { root } = await store.contents(snapshot);
  const args = ['diff-tree', '-r', '-z', '--no-renames', '--name-only', emptyTree, root, '--', ...pathspecs(filter)];
  const output = await git(args, { gitDir: store.dir, env: { GIT_LITERAL_PATHSPECS: '0' } });
  return splitRecords(output).map(decodePath);
}

function pathspecs({ path, glob }: FileFilter): string[] {
  const folder = path === undefined || /^[./]*$/.test(path) ? undefined : normalizeRelative(path, 'the path');
  if (glob === undefined) return folder === undefined ? [] : [`:(top,literal)${folder}`];
  const prefix = folder === undefined ? '' : `${folder.replace(/[\\*?[\]]/g, '\\$&')}/`;
  const globs = expandBraces(glob.replace(/^\.?\/+/, ''));
  if (!globs)
    throw new HelixError(
      'usage.invalid',
      `the glob ${JSON.stringify(glob)} has more than ${mostAlternatives} alternatives`,
    );
  return globs.map((one) => `:(top,glob)${prefix}${one.includes('/') ? one : `**/${one}`}`);
}

/** What is at a path of a snapshot. */
export interface PathEntry {
  name: string;
  kind: 'file' | 'executable' | 'symlink' | 'folder';
  /** Of a file. */
  bytes: number;
}

const kinds: Record<string, PathEntry['kind']> = {
  '100644': 'file',
  '100755': 'executable',
  '120000': 'symlink',
  '040000': 'folder',
};

/** What a path of a snapshot is; undefined when there is nothing. The name is the path. */
export async function statPath(
  store: SnapshotStore,
  snapshot: SnapshotId,
  path: string,
): Promise<PathEntry | undefined> {
  const { root, emptyFolders } = await store.contents(snapshot);
  if (emptyFolders.includes(path) || path === '.') return { name: path, kind: 'folder', bytes: 0 };
  // With two names git looks no deeper than the path, and never into it.
  const [entry] = parseEntries(await git(['ls-tree', '-z', '-l', root, '--', path], { gitDir: store.dir }));
  if (entry) return entry;
  return emptyFolders.some((one) => one.startsWith(`${path}/`)) ? { name: path, kind: 'folder', bytes: 0 } : undefined;
}

/** What is directly in a folder of a snapshot (`.` for the root), folders first; undefined when there is no such folder. */
export async function listFolder(
  store: SnapshotStore,
  snapshot: SnapshotId,
  path: string,
): Promise<PathEntry[] | undefined> {
  const { root, emptyFolders } = await store.contents(snapshot);
  const entry = await statPath(store, snapshot, path);
  if (entry?.kind !== 'folder') return undefined;
  const prefix = path === '.' ? '' : `${path}/`;
  const pathspec = path === '.' ? [] : ['--', prefix];
  const output = await git(['ls-tree', '-z', '-l', root, ...pathspec], { gitDir: store.dir });
  const entries = new Map(
    parseEntries(output).map((one) => [one.name.slice(prefix.length), { ...one, name: one.name.slice(prefix.length) }]),
  );
  for (const folder of emptyFolders) {
    const name = folder.startsWith(prefix) ? folder.slice(prefix.length).split('/')[0]! : '';
    if (name !== '' && !entries.has(name)) entries.set(name, { name, kind: 'folder', bytes: 0 });
  }
  return [...entries.values()].sort(
    (left, right) =>
      Number(right.kind === 'folder') - Number(left.kind === 'folder') || (left.name < right.name ? -1 : 1),
  );
}

function parseEntries(output: Buffer): PathEntry[] {
  return splitRecords(output).map((record) => {
    const tab = record.indexOf(0x09);
    const [mode, , , bytes] = record.toString('latin1', 0, tab).split(/ +/);
    return { name: decodePath(record.subarray(tab + 1)), kind: kinds[mode!]!, bytes: Number(bytes) || 0 };
  });
}
