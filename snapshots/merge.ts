import { HelixError } from '../contracts/error.ts';
import type { SnapshotId } from '../contracts/snapshot.ts';
import { editSnapshot } from './edit.ts';
import { GitError, gitResult, gitText } from './git.ts';
import { wrapSnapshot, writeObject } from './objects.ts';
import { decodePath, parentFolders, splitRecords } from './paths.ts';
import { readTreeNames } from './tree-names.ts';
import type { SnapshotStore } from './store.ts';

export interface SnapshotMerge {
  /** With conflicts, the files named below hold both sides between markers (`<<<<<<< ours`), or one side where there is no middle. */
  snapshot: SnapshotId;
  /** Paths that both sides changed in ways that do not go together, sorted. */
  conflicts: string[];
}

/**
 * Merges what two sides made of one snapshot, without a checkout; renames are followed. The same input gives the same result.
 * Throws HelixError `node.unsuitable` when git is older than 2.38.
 */
export async function mergeSnapshots(
  store: SnapshotStore,
  { base, ours, theirs }: { base: SnapshotId; ours: SnapshotId; theirs: SnapshotId },
): Promise<SnapshotMerge> {
  if (ours === theirs || base === theirs) return { snapshot: ours, conflicts: [] };
  if (base === ours) return { snapshot: theirs, conflicts: [] };
  const [start, left, right] = await Promise.all([base, ours, theirs].map((id) => store.contents(id)));
  // Trees alone can be merged only since git 2.40.
  const parent = await writeCommit(store.dir, start!.root, 'base');
  const sides = await Promise.all([
    writeCommit(store.dir, left!.root, 'ours', parent),
    writeCommit(store.dir, right!.root, 'theirs', parent),
  ]);
  const args = ['merge-tree', '--write-tree', '-z', '--name-only', '--no-messages', ...sides];
  const config = { 'merge.directoryRenames': 'true', 'merge.renames': 'true', 'merge.conflictStyle': 'merge' };
  const result = await gitResult(args, { gitDir: store.dir, config });
  if (result.exitCode === 129 || /unknown option|usage: git merge-tree/.test(result.stderr)) {
    const version = await gitText(['--version']);
    throw new HelixError(
      'node.unsuitable',
      `parallel work cannot be merged with ${version}: install git 2.38 or later on this machine`,
    );
  }
  if (result.exitCode > 1) throw new GitError(args, result);
  const [root, ...names] = splitRecords(result.stdout);
  const conflicts = [...new Set(names.filter((name) => name.length > 0).map(decodePath))].sort();
  const merged = root!.toString('latin1');
  const folders = mergeFolders(start!.emptyFolders, left!.emptyFolders, right!.emptyFolders);
  const emptyFolders = await stillEmpty(store, merged, folders);
  const snapshot = await wrapSnapshot(store.dir, { root: merged, emptyFolders });
  return { snapshot: await nameSides(store, snapshot, conflicts, sides), conflicts };
}

function writeCommit(storeDir: string, tree: string, message: string, parent?: string): Promise<string> {
  const identity = 'HelixCode <helixcode@localhost> 0 +0000';
  const header = [
    `tree ${tree}`,
    ...(parent ? [`parent ${parent}`] : []),
    `author ${identity}`,
    `committer ${identity}`,
  ];
  return writeObject(storeDir, 'commit', Buffer.from(`${header.join('\n')}\n\n${message}\n`));
}

function mergeFolders(base: string[], ours: string[], theirs: string[]): string[] {
  const kept = base.filter((path) => ours.includes(path) && theirs.includes(path));
  const added = [...ours, ...theirs].filter((path) => !base.includes(path));
  return [...new Set([...kept, ...added])].sort();
}

async function stillEmpty(store: SnapshotStore, root: string, folders: string[]): Promise<string[]> {
  if (folders.length === 0) return folders;
  const names = await readTreeNames({ gitDir: store.dir }, root);
  return folders.filter(
    (path) =>
      !names.folders.has(path) &&
      ![path, ...parentFolders(path)].some((at) => names.files.has(at)) &&
      !folders.some((other) => other.startsWith(`${path}/`)),
  );
}

/** Writes "ours" and "theirs" into the markers, where git puts the ids of our commits. */
async function nameSides(
  store: SnapshotStore,
  snapshot: SnapshotId,
  conflicts: string[],
  [ours, theirs]: string[],
): Promise<SnapshotId> {
  if (conflicts.length === 0) return snapshot;
  const contents = await store.readMany(snapshot, conflicts);
  const changes = [...contents].flatMap(([path, content]) => {
    const text = content.toString('latin1');
    const named = text.replaceAll(`<<<<<<< ${ours}`, '<<<<<<< ours').replaceAll(`>>>>>>> ${theirs}`, '>>>>>>> theirs');
    return named === text ? [] : [{ path, content: Buffer.from(named, 'latin1') }];
  });
  return changes.length > 0 ? editSnapshot(store, snapshot, changes) : snapshot;
}
