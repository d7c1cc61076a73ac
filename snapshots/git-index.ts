import { lstat } from 'node:fs/promises';
import { GitError, git, gitResult, gitText } from './git.ts';
import type { Place, SnapshotContents } from './objects.ts';
import { absolutePath, encodePath, joinRecords } from './paths.ts';
import { scan, scanFolders, unreadableError } from './scan.ts';
import type { IndexedTree, Scan, ScanOptions } from './scan.ts';

/** An entry of an index: mode `0` removes the path. */
export interface IndexEntry {
  mode: string;
  object: string;
  path: string;
}

/** An index, with or without a work tree beside it. */
export type Index = Place & { indexFile: string };

const emptyBlob = 'e69de29bb2d1d6434b8b29ae775ad8c2e48c5391';
const noObject = '0'.repeat(40);

/** A scan for which the index no longer has files that are folders now. `beforeChange` is called before the index is written. */
export async function scanReplaced(
  tree: IndexedTree,
  options: ScanOptions,
  beforeChange?: () => Promise<void>,
): Promise<Scan> {
  for (;;) {
    const found = await scan(tree, options);
    if (found.replaced.length === 0) return found;
    await beforeChange?.();
    await removeEntries(tree, found.replaced, options.signal);
  }
}

/**
 * A scan in which no nested repository is left, either: git is made to look into them by an entry of the index below each (there is no
 * such file; the update that follows removes the entry). Otherwise git would take them as links to commits, which lose the content,
 * and would run programs that their configuration names.
 */
export async function scanThroughNested(
  tree: IndexedTree,
  options: ScanOptions,
  beforeChange?: () => Promise<void>,
): Promise<Scan> {
  const empty = new Set<string>();
  for (;;) {
    const found = await scanReplaced(tree, options, beforeChange);
    for (const path of found.empty) empty.add(path);
    if (found.nested.length === 0) return { ...found, empty: [...empty].sort() };
    await beforeChange?.();
    const entries = found.nested.map((path) => ({ mode: '100644', object: emptyBlob, path: `${path}/.helix-nested` }));
    await setEntries(tree, entries, options.signal);
  }
}

/** Puts entries into an index or removes them, whatever the work tree holds. */
export async function setEntries(tree: Index, entries: IndexEntry[], signal?: AbortSignal): Promise<void> {
  if (entries.length === 0) return;
  const lines = entries.flatMap(({ mode, object, path }) => [
    Buffer.from(`${mode} ${object}\t`),
    encodePath(path),
    Buffer.alloc(1),
  ]);
  await git(['update-index', '-z', '--add', '--replace', '--index-info'], {
    ...tree,
    input: Buffer.concat(lines),
    signal,
  });
}

/** Removes paths from an index, and leaves the work tree alone. */
export async function removeEntries(tree: Index, paths: string[], signal?: AbortSignal): Promise<void> {
  const entries = paths.map((path) => ({ mode: '0', object: noObject, path }));
  await setEntries(tree, entries, signal);
}

/**
 * Brings an index up to a scan of its work tree, and stores all of it.
 * Throws HelixError `source.unreadable` naming a file that cannot be read.
 */
export async function storeChanges(tree: IndexedTree, found: Scan, options: ScanOptions): Promise<SnapshotContents> {
  const removed = await updateIndex(tree, found, options.signal);
  const root = await writeTree(tree, options.signal);
  // Git does not call a folder untracked while the index has files in it, also when those are gone.
  return { root, emptyFolders: removed ? await scanFolders(tree, options) : found.empty };
}

/** Returns whether something was removed. */
async function updateIndex(tree: IndexedTree, found: Scan, signal?: AbortSignal): Promise<boolean> {
  const gone = [...found.deleted];
  const present: string[] = [];
  for (const path of found.modified) ((await isStorable(tree.workTree, path)) ? present : gone).push(path);
  // First, and apart: a path below what is now a symlink would be refused, and a file must make way for a folder of its name.
  await removeEntries(tree, gone, signal);
  const paths = [...present, ...found.untracked];
  if (paths.length === 0) return gone.length > 0;
  const args = ['update-index', '-z', '--add', '--remove', '--replace', '--stdin'];
  const result = await gitResult(args, { ...tree, input: joinRecords(paths), signal });
  if (result.exitCode === 0) return gone.length > 0;
  const unreadable =
    /error: open\("(.*)"\): (.*)/.exec(result.stderr) ??
    /error: (?:readlink|short read)\("(.*)"\): (.*)/.exec(result.stderr);
  if (unreadable) throw unreadableError(tree.workTree, unreadable[1]!, unreadable[2]!);
  const invalid = /error: Invalid path '(.*)'/.exec(result.stderr);
  if (invalid) throw unreadableError(tree.workTree, invalid[1]!, 'git cannot store a file of this name');
  throw new GitError(args, result);
}

/** Stores the tree of an index and returns its object id. */
export async function writeTree(tree: Index, signal?: AbortSignal): Promise<string> {
  return gitText(['write-tree'], { ...tree, signal });
}

// A socket or FIFO in the place of a tracked file is no content; git would fail on it.
async function isStorable(workTree: string, path: string): Promise<boolean> {
  const stat = await lstat(absolutePath(workTree, path)).catch(() => undefined);
  return stat !== undefined && (stat.isFile() || stat.isSymbolicLink());
}
