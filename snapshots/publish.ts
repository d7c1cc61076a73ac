import { join } from 'node:path';
import { HelixError } from '../contracts/error.ts';
import type { SnapshotId } from '../contracts/snapshot.ts';
import { git, gitReason, gitResult, gitText } from './git.ts';
import { openRepository } from './location.ts';
import type { LocalRepository } from './location.ts';
import type { Place } from './objects.ts';
import { asCommitted } from './publish-tree.ts';
import { helixFolder, withScratchRepository } from './repository-files.ts';
import { resolveCommit } from './source-commit.ts';
import type { SnapshotStore } from './store.ts';
import { copyObjects } from './transfer.ts';

export interface PublishOptions {
  /** Path of the user's repository. */
  repository: string;
  /** Without `refs/heads/`. */
  branch: string;
  /** The commit the first snapshot stands on; null when there was none. */
  base: string | null;
  /** In order; the first is the source as imported. One that changes nothing gets no commit. */
  commits: { snapshot: SnapshotId; message: string }[];
  /** Move a branch that has other commits. */
  force?: boolean;
}

/**
 * Makes a branch of snapshots in the user's repository: objects and this one ref are written, never the index, HEAD or a file, and no
 * hook runs. The same input gives the same commit ids, so doing it twice is doing it once.
 * Throws HelixError `source.conflict` when the branch has other commits (without `force`) or is checked out and would move,
 * `source.ref-not-found` when `base` is gone.
 */
export async function publishBranch(store: SnapshotStore, options: PublishOptions): Promise<{ commit: string }> {
  const ref = `refs/heads/${options.branch}`;
  const [repository, format] = await Promise.all([
    openRepository(options.repository),
    gitResult(['check-ref-format', ref]),
  ]);
  if (format.exitCode !== 0 || options.branch.startsWith('-')) {
    throw new HelixError('usage.invalid', `"${options.branch}" is no name git accepts for a branch`);
  }
  const commit = await withScratchRepository(helixFolder(store.dir), async (gitDir) => {
    return writeCommits(store, { gitDir, objectDir: join(repository.commonDir, 'objects') }, repository, options);
  });
  await pointBranch(repository, ref, commit, options);
  return { commit };
}

/** Writes the commits that are missing and returns the last. */
async function writeCommits(
  store: SnapshotStore,
  place: Place,
  repository: LocalRepository,
  options: PublishOptions,
): Promise<string> {
  const { base, commits } = options;
  if (base !== null && (await resolveCommit(repository, base)) === undefined) {
    throw new HelixError(
      'source.ref-not-found',
      `commit ${base}, on which the branch ${options.branch} is to stand, is no longer in ${options.repository}`,
    );
  }
  const contents = await Promise.all(commits.map(({ snapshot }) => store.contents(snapshot)));
  const roots = contents.map(({ root }) => root);
  const [start] = await Promise.all([
    base === null ? undefined : readCommit(place, base),
    copyObjects({ gitDir: store.dir }, place, roots),
  ]);
  const baseTree = start?.tree;
  const trees = baseTree === undefined ? roots : await asCommitted(place, helixFolder(store.dir), baseTree, roots);

  let parent = base ?? undefined;
  let tree = baseTree;
  let time = start?.time ?? 0;
  for (const [index, next] of trees.entries()) {
    if (next === tree) continue;
    // One second apart, so that whatever sorts commits by time keeps their order.
    time += 1;
    parent = await writeCommit(place, { tree: next, parent, time, message: commits[index]!.message });
    tree = next;
  }
  if (parent === undefined)
    throw new HelixError('usage.invalid', `there is nothing to publish as ${options.branch}: no base and no snapshot`);
  return parent;
}

/** The tree of a commit, and its committer's time in seconds. */
async function readCommit(place: Place, commit: string): Promise<{ tree: string; time: number }> {
  const [tree, time] = (await gitText(['log', '-1', '--format=%T %ct', commit], place)).split(' ');
  return { tree: tree!, time: Number(time) };
}

interface NewCommit {
  tree: string;
  parent: string | undefined;
  time: number;
  message: string;
}

async function writeCommit(place: Place, { tree, parent, time, message }: NewCommit): Promise<string> {
  const identity = `HelixCode <helixcode@localhost> ${time} +0000`;
  const header = [
    `tree ${tree}`,
    ...(parent ? [`parent ${parent}`] : []),
    `author ${identity}`,
    `committer ${identity}`,
  ];
  const input = `${header.join('\n')}\n\n${message.replaceAll('\0', '').trim()}\n`;
  return gitText(['hash-object', '-t', 'commit', '-w', '--stdin'], { ...place, input });
}

async function pointBranch(
  repository: LocalRepository,
  ref: string,
  commit: string,
  options: PublishOptions,
): Promise<void> {
  const { gitDir } = repository;
  const [current, workTree] = await Promise.all([
    gitResult(['rev-parse', '--verify', '--quiet', ref], { gitDir }),
    checkedOutAt(gitDir, ref),
  ]);
  const old = current.exitCode === 0 ? current.stdout.toString().trim() : undefined;
  if (old === commit) return;
  const conflict = (reason: string): HelixError =>
    new HelixError(
      'source.conflict',
      `the branch ${options.branch} in ${options.repository} was left as it is: ${reason}`,
      {
        details: { branch: options.branch, commit, current: old ?? null },
      },
    );
  if (old !== undefined && !options.force)
    throw conflict(`it exists with other commits (${old.slice(0, 12)}); delete or rename it`);
  if (workTree !== undefined) throw conflict(`it is checked out in ${workTree}; switch that to another branch first`);
  const update = ['update-ref', '--no-deref', ref, commit, old ?? '0'.repeat(40)];
  const { exitCode, stderr } = await gitResult(update, { gitDir });
  if (exitCode !== 0) throw conflict(gitReason(stderr));
}

async function checkedOutAt(gitDir: string, ref: string): Promise<string | undefined> {
  const listed = (await git(['worktree', 'list', '--porcelain'], { gitDir })).toString();
  const found = listed.split('\n\n').find((block) => block.split('\n').includes(`branch ${ref}`));
  return found?.split('\n')[0]?.replace(/^worktree /, '');
}
