import { rm } from 'node:fs/promises';
import type { SnapshotId } from '../contracts/snapshot.ts';
import { git } from './git.ts';
import { emptyTree } from './objects.ts';
import { decodePath, parentFolders, splitRecords } from './paths.ts';
import type { PathSet } from './paths.ts';
import { makeFolder } from './removal.ts';
import { helixFolder } from './repository-files.ts';
import { scan } from './scan.ts';
import type { IndexedTree } from './scan.ts';
import { editTree, withoutPaths } from './tree-names.ts';
import type { TreeNames } from './tree-names.ts';
import type { Checkout } from './workspace-state.ts';

/** Output trees put together: where two have the same path, the later wins. */
export interface Overlay {
  root: string;
  names: TreeNames;
  emptyFolders: string[];
}

/**
 * Puts output trees together, without what is in `exclude`. The result must not be changed: its names may be remembered ones.
 */
export async function combineInputs(checkout: Checkout, inputs: SnapshotId[], exclude: PathSet): Promise<Overlay> {
  if (inputs.length === 0) return noOverlay;
  const { store } = checkout;
  const scratch = helixFolder(store.dir);
  const contents = await Promise.all(inputs.map((id) => store.contents(id)));
  let combined = contents[0]!.root;
  for (const { root } of contents.slice(1)) {
    const { files } = await checkout.names.of(root);
    combined = await editTree({ gitDir: store.dir }, scratch, combined, [...files.values()]);
  }
  const { root } = await withoutPaths(
    { gitDir: store.dir },
    scratch,
    combined,
    await checkout.names.of(combined),
    exclude,
  );
  const names = await checkout.names.of(root);
  const emptyFolders = contents
    .flatMap((one) => one.emptyFolders)
    .filter(
      (path) =>
        !exclude.has(path) &&
        !names.folders.has(path) &&
        ![path, ...parentFolders(path)].some((at) => names.files.has(at)),
    );
  return { root, names, emptyFolders: [...new Set(emptyFolders)] };
}

const noOverlay: Overlay = { root: emptyTree, names: { folders: new Set(), files: new Map() }, emptyFolders: [] };

/** Lays an overlay over a workspace from which earlier ones are gone. */
export async function layOverlay(checkout: Checkout, overlay: Overlay, signal?: AbortSignal): Promise<void> {
  const { indexFile, tree } = overlayTree(checkout);
  await rm(indexFile, { force: true });
  if (overlay.names.files.size > 0) await git(['read-tree', '--reset', '-u', overlay.root], { ...tree, signal });
  for (const path of overlay.emptyFolders) await makeFolder(checkout.dir, path);
}

/** The topmost paths that are there because of the overlay: folders the snapshot does not have, and files in folders it has. */
export function overlayRoots(overlay: Overlay, snapshot: TreeNames): string[] {
  const roots = new Set<string>();
  for (const path of [...overlay.names.files.keys(), ...overlay.emptyFolders]) {
    const above = [...parentFolders(path)].reverse();
    roots.add(above.find((folder) => !snapshot.folders.has(folder)) ?? path);
  }
  return [...roots];
}

/** Files of the overlay that are no longer as they were laid. */
export async function changedSinceLaid(checkout: Checkout, signal?: AbortSignal): Promise<Set<string>> {
  const output = await git(['diff-files', '-z', '--name-only', '--ignore-submodules=all'], {
    ...overlayTree(checkout).tree,
    signal,
  });
  return new Set(splitRecords(output).map(decodePath));
}

/** Whether the laid folders hold exactly the overlay, apart from files of the snapshot. */
export async function isOverlayIntact(
  checkout: Checkout,
  overlay: Overlay,
  snapshot: TreeNames,
  exclude: PathSet,
  signal?: AbortSignal,
): Promise<boolean> {
  const { laid } = checkout.record.state;
  if (laid.length === 0) return true;
  // Too many or too odd to be named to git: laying them again is always right.
  if (laid.length > 500 || laid.some((path) => !path.isWellFormed())) return false;
  const found = await scan(overlayTree(checkout).tree, { ignore: false, paths: laid, exclude, signal });
  const wanted = new Set(overlay.emptyFolders);
  return (
    found.modified.length + found.deleted.length + found.nested.length === 0 &&
    found.untracked.every((path) => snapshot.files.has(path)) &&
    found.empty.length === wanted.size &&
    found.empty.every((path) => wanted.has(path))
  );
}

function overlayTree(checkout: Checkout): { indexFile: string; tree: IndexedTree } {
  const indexFile = checkout.record.overlayIndexFile;
  return { indexFile, tree: { ...checkout.tree, indexFile } };
}
