import type { ImportedSource, Source } from '../contracts/snapshot.ts';
import { HelixError } from '../contracts/error.ts';
import type { ImportOptions } from './import-options.ts';
import { openRepository, parseLocation } from './location.ts';
import { importCommit } from './source-commit.ts';
import { importRemote } from './source-remote.ts';
import { importWorkingTree } from './source-working-tree.ts';
import type { SnapshotStore } from './store.ts';

export { projectIdFor } from './location.ts';

/**
 * Makes a snapshot of a source. A local path without `ref` gives its working tree as it is: uncommitted and untracked files, and tracked
 * ones that git would ignore; the repository is not written to, and nothing of it is run. With `ref`, or from a URL, it is that commit;
 * submodules are empty folders then.
 * Throws HelixError `source.not-a-repository`, `source.ref-not-found`, `source.unreachable`, `source.unreadable`, `node.disk-full`.
 */
export async function importSource(
  store: SnapshotStore,
  source: Source,
  options: ImportOptions = {},
): Promise<ImportedSource> {
  const location = parseLocation(source.location);
  if (source.ref !== undefined) checkRef(source.ref, source.location);
  if (location.kind === 'url') return importRemote(store, location.url, source.ref, options);
  const repository = await openRepository(location.path);
  if (source.ref !== undefined || repository.workTree === undefined) {
    return importCommit(store, repository, source.ref ?? 'HEAD', options);
  }
  return importWorkingTree(store, repository, repository.workTree, options);
}

function checkRef(ref: string, location: string): void {
  // Git would take a leading dash for an option.
  if (/^-|[\0-\x20\x7f]|\.\./.test(ref) || ref === '') {
    throw new HelixError(
      'source.ref-not-found',
      `${JSON.stringify(ref)} is no name of a branch, tag or commit of ${location}`,
    );
  }
}
