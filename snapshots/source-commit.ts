import { join } from 'node:path';
import { HelixError } from '../contracts/error.ts';
import { GitError, git, gitReason, gitResult, gitText } from './git.ts';
import { removeEntries, writeTree } from './git-index.ts';
import { shownLocation } from './location.ts';
import type { LocalRepository } from './location.ts';
import { wrapSnapshot } from './objects.ts';
import { decodePath, parentFolders, splitRecords } from './paths.ts';
import { helixFolder, withScratchFolder, withScratchRepository } from './repository-files.ts';
import type { ImportedSource } from '../contracts/snapshot.ts';
import type { ImportOptions } from './import-options.ts';
import type { SnapshotStore } from './store.ts';
import { copyObjects } from './transfer.ts';

/** Makes a snapshot of a commit of a local repository. */
export async function importCommit(
  store: SnapshotStore,
  repository: LocalRepository,
  ref: string,
  options: ImportOptions,
): Promise<ImportedSource> {
  const name = repository.workTree ?? repository.gitDir;
  const commit = await resolveCommit(repository, ref);
  if (commit === undefined) throw await refNotFound(repository, name, ref);
  const objects = join(repository.commonDir, 'objects');
  // Read from a repository of ours that only borrows its objects: its configuration takes no part.
  await withScratchRepository(helixFolder(store.dir), async (gitDir) => {
    const from = { gitDir, alternates: [objects], signal: options.signal };
    try {
      const tree = await gitText(['rev-parse', '--verify', `${commit}^{tree}`], from);
      await copyObjects(from, { gitDir: store.dir, signal: options.signal }, [tree, commit]);
    } catch (error) {
      if (!(error instanceof GitError)) throw error;
      throw new HelixError(
        'source.unreadable',
        `commit ${commit} of ${name} cannot be read whole (${gitReason(error.stderr)}): if this is a partial clone, run "git fetch --refetch" with --filter=blob:limit=100g, or clone it whole`,
        { cause: error },
      );
    }
  });
  return { snapshot: await snapshotOfCommit(store, commit, name, options), commit, dirty: false };
}

/** The commit a name stands for in a user's repository, undefined when it stands for none. */
export async function resolveCommit(repository: LocalRepository, ref: string): Promise<string | undefined> {
  const args = ['rev-parse', '--verify', '--quiet', `${ref}^{commit}`];
  const { exitCode, stdout } = await gitResult(args, { gitDir: repository.gitDir });
  return exitCode === 0 ? stdout.toString().trim() : undefined;
}

async function refNotFound(repository: LocalRepository, name: string, ref: string): Promise<HelixError> {
  const args = ['for-each-ref', '--count=20', '--format=%(refname:short)', 'refs/heads', 'refs/tags'];
  const known = (await gitResult(args, { gitDir: repository.gitDir })).stdout.toString().trim().split('\n');
  return refNotFoundError(name, ref, known);
}

export function refNotFoundError(location: string, ref: string, known: string[]): HelixError {
  const names = known.filter((one) => one !== '');
  const has = names.length > 0 ? `it has ${names.slice(0, 20).join(', ')}` : 'it has no commits yet';
  return new HelixError(
    'source.ref-not-found',
    `there is no branch, tag or commit ${ref} in ${shownLocation(location)}: ${has}`,
  );
}

/**
 * The snapshot of a commit whose objects are in the store. Submodules become empty folders, since a commit only names a commit of
 * theirs.
 */
export async function snapshotOfCommit(
  store: SnapshotStore,
  commit: string,
  name: string,
  options: ImportOptions,
): Promise<string> {
  return withScratchFolder(helixFolder(store.dir), async (folder) => {
    const tree = { gitDir: store.dir, workTree: store.dir, indexFile: join(folder, 'index') };
    // Through an index, so that an odd tree (old modes, unsorted) becomes one every node accepts, and a bad name is refused.
    const read = await gitResult(['read-tree', commit], { ...tree, signal: options.signal });
    if (read.exitCode !== 0) {
      throw new HelixError(
        'source.unreadable',
        `commit ${commit} of ${shownLocation(name)} cannot be read: ${gitReason(read.stderr)}`,
      );
    }
    const entries = splitRecords(await git(['ls-files', '-z', '-s'], tree)).map((record) => {
      const tab = record.indexOf(0x09);
      return { isLink: record.toString('latin1', 0, 6) === '160000', path: decodePath(record.subarray(tab + 1)) };
    });
    const submodules = entries.filter((entry) => entry.isLink).map((entry) => entry.path);
    for (const path of submodules) {
      options.onProgress?.(`the submodule ${path} is left out (an empty folder): a commit only names its version`);
    }
    await removeEntries(tree, submodules, options.signal);
    const root = await writeTree(tree, options.signal);
    const filled = new Set(entries.filter((entry) => !entry.isLink).flatMap((entry) => [...parentFolders(entry.path)]));
    return wrapSnapshot(store.dir, { root, emptyFolders: submodules.filter((path) => !filled.has(path)) });
  });
}
