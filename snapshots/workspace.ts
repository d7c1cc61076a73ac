import { mkdir, realpath } from 'node:fs/promises';
import type { SnapshotId } from '../contracts/snapshot.ts';
import { type CaptureOptions, captureOutputs, captureWorkspace } from './capture.ts';
import { restoreWorkspace, type RestoreOptions } from './restore.ts';
import type { SnapshotStore } from './store.ts';
import { TreeNamesCache } from './tree-names.ts';
import { WorkspaceRecord } from './workspace-state.ts';

/** One writable checkout. Never used by two at once: that is the caller's duty. */
export interface Workspace {
  readonly dir: string;
  /**
   * Makes the workspace exactly the snapshot, with the output trees `inputs` laid over it in this order. Files made since are gone;
   * files that git ignores stay, unless they were outputs (laid or captured earlier). Nothing at or below `exclude` (layers such as
   * `node_modules`, `packages/<any>/node_modules`) is touched, not even where the snapshot has files there.
   * Throws HelixError `snapshot.not-found`, `snapshot.corrupt`, `node.disk-full`.
   */
  restore(id: SnapshotId, options?: RestoreOptions): Promise<void>;
  /**
   * Stores everything that git does not ignore or that the snapshot had already. What came from `inputs` or was captured by
   * `captureOutputs` stays out unless the restored snapshot had it: capture outputs first.
   * Throws HelixError `source.unreadable`, `node.disk-full`.
   */
  capture(options?: CaptureOptions): Promise<SnapshotId>;
  /**
   * Stores the given files and folders as a tree of their own, ignored or not; undefined when there is nothing of that name.
   * Throws HelixError `usage.invalid` for a path that leaves the workspace.
   */
  captureOutputs(paths: string[], options?: { signal?: AbortSignal }): Promise<SnapshotId | undefined>;
}

/** Opens the checkout at `dir`, making the folder when missing. `exclude`: paths that belong to somebody else (layers). */
export async function openWorkspace(
  store: SnapshotStore,
  dir: string,
  options: { exclude: string[] },
): Promise<Workspace> {
  await mkdir(dir, { recursive: true });
  const real = await realpath(dir);
  const record = await WorkspaceRecord.open(store.dir, real);
  const tree = { gitDir: store.dir, workTree: real, indexFile: record.indexFile };
  const checkout = { store, dir: real, record, tree, names: new TreeNamesCache(store.dir), exclude: options.exclude };
  return {
    dir: real,
    restore: (id, options) => restoreWorkspace(checkout, id, options),
    capture: (options) => captureWorkspace(checkout, options),
    captureOutputs: (paths, options) => captureOutputs(checkout, paths, options),
  };
}
