import { createHash } from 'node:crypto';
import { copyFile, lstat, mkdir, readdir, rename } from 'node:fs/promises';
import { join } from 'node:path';
import { HelixError } from '../contracts/error.ts';
import { git, gitResult } from './git.ts';
import { removeEntries, scanThroughNested, storeChanges } from './git-index.ts';
import type { LocalRepository } from './location.ts';
import { emptyTree, wrapSnapshot } from './objects.ts';
import type { SnapshotContents } from './objects.ts';
import { absolutePath, decodePath, parentFolders, splitRecords } from './paths.ts';
import { hasRealParents } from './removal.ts';
import { helixFolder, withScratchRepository } from './repository-files.ts';
import { gatherIgnorePatterns } from './ignore-patterns.ts';
import type { IndexedTree, ScanOptions } from './scan.ts';
import { resolveCommit } from './source-commit.ts';
import type { ImportedSource } from '../contracts/snapshot.ts';
import type { ImportOptions } from './import-options.ts';
import type { SnapshotStore } from './store.ts';

/**
 * Makes a snapshot of a user's working tree. Git works on it with a repository of ours, so that neither the user's configuration nor
 * the user's index takes part; of the user's `.git` only data is read.
 */
export async function importWorkingTree(
  store: SnapshotStore,
  repository: LocalRepository,
  workTree: string,
  options: ImportOptions,
): Promise<ImportedSource> {
  return withScratchRepository(helixFolder(store.dir), async (scratch) => {
    const users: IndexedTree = { gitDir: scratch, workTree, indexFile: join(scratch, 'index') };
    const [excludeFrom, tracked] = await Promise.all([
      gatherIgnorePatterns(repository.commonDir, join(scratch, 'ignored')),
      copyIndex(repository, scratch).then(() => readUsersIndex(users)),
    ]);
    await refuseSparse(workTree, tracked);
    // Two views of one tree: what it holds, and what of that the commit has not. Neither waits for the other.
    const [taken, { commit, differs }] = await Promise.all([
      takeTree(store, users, tracked, scratch, { ...options, ...(excludeFrom ? { excludeFrom } : {}) }),
      compareWithCommit(repository, users),
    ]);
    const dirty = commit === null ? taken.root !== emptyTree : differs || taken.paths.some(isForeignTo(tracked));
    return { snapshot: await wrapSnapshot(store.dir, taken), commit, dirty };
  });
}

/** Stores the working tree's files and gives its tree, with the paths of the files in it. */
async function takeTree(
  store: SnapshotStore,
  { workTree }: IndexedTree,
  tracked: Map<string, TrackedFile>,
  scratch: string,
  options: ImportOptions & Pick<ScanOptions, 'excludeFrom'>,
): Promise<SnapshotContents & { paths: string[] }> {
  const { signal, excludeFrom } = options;
  const remembered = join(
    helixFolder(store.dir),
    'imports',
    createHash('sha256').update(workTree).digest('hex').slice(0, 16),
  );
  const ours: IndexedTree = { gitDir: store.dir, workTree, indexFile: join(scratch, 'ours.index') };
  await copyFile(remembered, ours.indexFile).catch(() => undefined);
  await dropNewlyIgnored(ours, tracked, excludeFrom);
  const how = { ignore: true, ...(excludeFrom ? { excludeFrom } : {}), signal };
  const [found, known] = await Promise.all([scanThroughNested(ours, how), listIndex(ours)]);
  const forced = await trackedThoughIgnored(workTree, tracked, new Set([...known, ...found.untracked]));
  const untracked = [...found.untracked, ...forced];
  options.onProgress?.(`reading ${found.modified.length + untracked.length} files of ${workTree}`);
  const stored = await storeChanges(ours, { ...found, untracked }, how);
  const isAsBefore = [untracked, found.modified, found.deleted].every((paths) => paths.length === 0);
  const paths = isAsBefore ? known : await listIndex(ours);
  await mkdir(join(helixFolder(store.dir), 'imports'), { recursive: true });
  await rename(ours.indexFile, remembered);
  return { ...stored, paths };
}

interface TrackedFile {
  path: string;
  isSubmodule: boolean;
  /** Git was told not to expect it in the working tree. */
  isSkipped: boolean;
}

/** Copies the user's index, whole or split; both are replaced by renaming, so a copy is never half a one. */
async function copyIndex(repository: LocalRepository, scratch: string): Promise<void> {
  const names = (await readdir(repository.gitDir)).filter(
    (name) => name === 'index' || name.startsWith('sharedindex.'),
  );
  for (const name of names) await copyFile(join(repository.gitDir, name), join(scratch, name)).catch(ignoreMissing);
}

function ignoreMissing(error: NodeJS.ErrnoException): void {
  if (error.code !== 'ENOENT') throw error;
}

async function readUsersIndex(users: IndexedTree): Promise<Map<string, TrackedFile>> {
  const output = await git(['ls-files', '-z', '-s', '-t'], users);
  return new Map(
    splitRecords(output).map((record) => {
      const tab = record.indexOf(0x09);
      const [tag, mode] = record.toString('latin1', 0, tab).split(' ');
      const path = decodePath(record.subarray(tab + 1));
      return [path, { path, isSubmodule: mode === '160000', isSkipped: tag === 'S' }];
    }),
  );
}

async function refuseSparse(workTree: string, tracked: Map<string, TrackedFile>): Promise<void> {
  for (const file of tracked.values()) {
    if (!file.isSkipped || (await isStored(workTree, file.path))) continue;
    throw new HelixError(
      'source.unreadable',
      `${workTree} is a sparse checkout, ${file.path} is not in it: run "git sparse-checkout disable", or name a branch or commit to take the files from`,
      { details: { path: file.path } },
    );
  }
}

/** Forgets what an earlier import had and the user has ignored since, so that a remembered index gives what an empty one would. */
async function dropNewlyIgnored(
  ours: IndexedTree,
  tracked: Map<string, TrackedFile>,
  excludeFrom?: string,
): Promise<void> {
  const args = ['ls-files', '-z', '--cached', '--ignored', '--exclude-per-directory=.gitignore'];
  if (excludeFrom) args.push(`--exclude-from=${excludeFrom}`);
  const ignored = splitRecords(await git(args, ours)).map(decodePath);
  await removeEntries(
    ours,
    ignored.filter((path) => !tracked.has(path)),
  );
}

async function trackedThoughIgnored(
  workTree: string,
  tracked: Map<string, TrackedFile>,
  found: Set<string>,
): Promise<string[]> {
  const forced: string[] = [];
  for (const file of tracked.values()) {
    if (file.isSubmodule || found.has(file.path)) continue;
    if (await isStored(workTree, file.path)) forced.push(file.path);
  }
  return forced;
}

async function isStored(workTree: string, path: string): Promise<boolean> {
  const found = await lstat(absolutePath(workTree, path)).catch(() => undefined);
  return (
    found !== undefined &&
    (found.isFile() || found.isSymbolicLink()) &&
    (await hasRealParents(workTree, path, new Map()))
  );
}

async function listIndex(tree: IndexedTree): Promise<string[]> {
  return splitRecords(await git(['ls-files', '-z'], tree)).map(decodePath);
}

/** The commit checked out, and whether the working tree has what it has not: what only the user's filters would change back does not count. */
async function compareWithCommit(
  repository: LocalRepository,
  users: IndexedTree,
): Promise<{ commit: string | null; differs: boolean }> {
  const commit = (await resolveCommit(repository, 'HEAD')) ?? null;
  if (commit === null) return { commit, differs: true };
  // Touched files are looked into; those the user's index knows as clean are believed, since their filters must not run here.
  await gitResult(['update-index', '-q', '--ignore-submodules', '--refresh'], users);
  const changed = await git(['diff-files', '-z', '--name-only', '--ignore-submodules=all'], users);
  if (changed.length > 0) return { commit, differs: true };
  const place = { ...users, alternates: [join(repository.commonDir, 'objects')] };
  const staged = await gitResult(['diff-index', '--cached', '--quiet', '--ignore-submodules=all', commit], place);
  return { commit, differs: staged.exitCode !== 0 };
}

/** Tells files that git does not know: neither tracked nor part of a submodule. */
function isForeignTo(tracked: Map<string, TrackedFile>): (path: string) => boolean {
  return (path) => !tracked.has(path) && ![...parentFolders(path)].some((at) => tracked.get(at)?.isSubmodule);
}
