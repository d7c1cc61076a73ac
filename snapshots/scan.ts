import { lstat, readdir } from 'node:fs/promises';
import { HelixError } from '../contracts/error.ts';
import { GitError, git, gitResult } from './git.ts';
import type { GitOptions } from './git.ts';
import { absolutePath, decodePath, joinRecords, splitRecords } from './paths.ts';
import type { PathSet } from './paths.ts';
import { hasRealParents } from './removal.ts';

/** A work tree beside an index. */
export interface IndexedTree {
  gitDir: string;
  workTree: string;
  indexFile: string;
}

export interface ScanOptions {
  /** Leaves out what .gitignore files exclude, as far as the index does not have it. */
  ignore: boolean;
  /** Looked at neither as untracked files nor as folders. */
  exclude?: PathSet;
  /** Only these paths and what is below them. */
  paths?: string[];
  /** A further file of ignore patterns, weaker than any .gitignore. */
  excludeFrom?: string;
  signal?: AbortSignal | undefined;
}

/** How a work tree differs from its index. All paths are workspace-relative. */
export interface Scan {
  /** Tracked files whose content, mode or type may have changed. */
  modified: string[];
  /** Tracked files that are gone. */
  deleted: string[];
  /** Of the modified and deleted those that are folders now. Git says nothing of what is in them until the index lacks the file. */
  replaced: string[];
  untracked: string[];
  /** Untracked folders that are repositories of their own; git does not look into them. */
  nested: string[];
  /** Folders with nothing in them but folders of the same kind (and `.git`), the innermost only. */
  empty: string[];
}

/**
 * Compares a work tree with its index without writing to either.
 * Throws HelixError `source.unreadable` when a folder cannot be read: git would leave it out without a word.
 */
export async function scan(tree: IndexedTree, options: ScanOptions): Promise<Scan> {
  const [tracked, others] = await Promise.all([
    changedFiles(tree, options),
    listOthers(tree, options, ['--directory']),
  ]);
  const replaced = await findReplaced(tree.workTree, [...tracked.modified, ...tracked.deleted]);
  const folders = others.filter(isFolder).map(withoutSlash);
  const files = others.filter((path) => !isFolder(path));
  const simple = { ...tracked, replaced, untracked: files, nested: [], empty: [] };
  if (folders.length === 0) return simple;

  const { empty, onlyEmpty } = await findEmptyFolders(tree, folders, options);
  if (onlyEmpty) return { ...simple, empty };
  const all = await listOthers(tree, options, []);
  const nested = all.filter(isFolder).map(withoutSlash);
  return { ...simple, untracked: all.filter((path) => !isFolder(path)), nested, empty };
}

function isFolder(path: string): boolean {
  return path.endsWith('/');
}

function withoutSlash(path: string): string {
  return path.slice(0, -1);
}

async function findReplaced(workTree: string, paths: string[]): Promise<string[]> {
  const known = new Map<string, boolean>();
  const replaced: string[] = [];
  for (const path of paths) {
    if (!(await hasRealParents(workTree, path, known))) continue;
    if ((await lstat(absolutePath(workTree, path)).catch(() => undefined))?.isDirectory()) replaced.push(path);
  }
  return replaced;
}

/** The `empty` of a scan alone. */
export async function scanFolders(tree: IndexedTree, options: ScanOptions): Promise<string[]> {
  const others = await listOthers(tree, options, ['--directory']);
  const folders = others.filter(isFolder).map(withoutSlash);
  return (await findEmptyFolders(tree, folders, options)).empty;
}

async function changedFiles(tree: IndexedTree, options: ScanOptions): Promise<Pick<Scan, 'modified' | 'deleted'>> {
  const paths = options.paths ? ['--', ...options.paths] : [];
  const output = await git(['diff-files', '-z', '--name-status', '--ignore-submodules=all', ...paths], {
    ...tree,
    signal: options.signal,
  });
  const records = splitRecords(output);
  const modified: string[] = [];
  const deleted: string[] = [];
  for (let at = 0; at + 1 < records.length; at += 2) {
    (records[at]!.toString() === 'D' ? deleted : modified).push(decodePath(records[at + 1]!));
  }
  return { modified, deleted };
}

async function listOthers(tree: IndexedTree, options: ScanOptions, flags: string[]): Promise<string[]> {
  const args = ['ls-files', '-z', '--others', ...flags];
  if (options.ignore) args.push('--exclude-per-directory=.gitignore');
  if (options.excludeFrom) args.push(`--exclude-from=${options.excludeFrom}`);
  for (const pattern of options.exclude?.patterns ?? []) args.push(`--exclude=${pattern}`);
  if (options.paths) args.push('--', ...options.paths);
  const { exitCode, stdout, stderr } = await gitResult(args, { ...tree, signal: options.signal });
  if (exitCode !== 0) throw new GitError(args, { exitCode, stdout, stderr });
  const unreadable = /could not open directory '(.*)': (.*)/.exec(stderr);
  if (unreadable) throw unreadableError(tree.workTree, unreadable[1]!.replace(/\/$/, ''), unreadable[2]!);
  return splitRecords(stdout).map(decodePath);
}

export function unreadableError(workTree: string, path: string, reason: string): HelixError {
  return new HelixError(
    'source.unreadable',
    `${path} in ${workTree} cannot be read (${reason}): make it readable, or have .gitignore exclude it`,
    {
      details: { path },
    },
  );
}

/**
 * The innermost empty folders at or below the given untracked ones. A folder with only ignored files is not empty, and does not
 * count at all: what git ignores must not change a snapshot. `onlyEmpty`: there was nothing but empty folders.
 */
async function findEmptyFolders(
  tree: IndexedTree,
  folders: string[],
  options: ScanOptions,
): Promise<{ empty: string[]; onlyEmpty: boolean }> {
  const empty: string[] = [];
  let onlyEmpty = true;
  for (let level = folders; level.length > 0;) {
    const below: string[] = [];
    for (const folder of level) {
      const entries = await readFolder(tree.workTree, folder);
      if (entries.hasFiles || entries.isRepository) onlyEmpty = false;
      below.push(...entries.folders);
      if (!entries.hasFiles && entries.folders.length === 0) empty.push(folder);
    }
    level = await withoutIgnored(tree, below, options);
    if (level.length < below.length) onlyEmpty = false;
  }
  return { empty: empty.sort(), onlyEmpty };
}

async function readFolder(
  workTree: string,
  folder: string,
): Promise<{ folders: string[]; hasFiles: boolean; isRepository: boolean }> {
  const entries = await readdir(absolutePath(workTree, folder), { withFileTypes: true, encoding: 'buffer' }).catch(
    (error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT' || error.code === 'ENOTDIR') return [];
      throw unreadableError(workTree, folder, error.code ?? error.message);
    },
  );
  const named = entries.map((entry) => ({ name: decodePath(entry.name), isFolder: entry.isDirectory() }));
  const content = named.filter((entry) => entry.name !== '.git');
  return {
    folders: content.filter((entry) => entry.isFolder).map((entry) => `${folder}/${entry.name}`),
    hasFiles: content.some((entry) => !entry.isFolder),
    isRepository: content.length < named.length,
  };
}

async function withoutIgnored(tree: IndexedTree, folders: string[], options: ScanOptions): Promise<string[]> {
  const wanted = folders.filter((folder) => !options.exclude?.has(folder));
  if (!options.ignore || wanted.length === 0) return wanted;
  const config: GitOptions = options.excludeFrom ? { config: { 'core.excludesFile': options.excludeFrom } } : {};
  const args = ['check-ignore', '-z', '--stdin'];
  // It refuses literal pathspecs; `./` keeps a name that starts with a colon from being taken for more than a name.
  const result = await gitResult(args, {
    ...tree,
    ...config,
    env: { GIT_LITERAL_PATHSPECS: '0' },
    input: joinRecords(wanted.map((folder) => `./${folder}`)),
    signal: options.signal,
  });
  if (result.exitCode > 1) throw new GitError(args, result);
  const ignored = new Set(splitRecords(result.stdout).map((path) => decodePath(path).slice(2)));
  return wanted.filter((folder) => !ignored.has(folder));
}
