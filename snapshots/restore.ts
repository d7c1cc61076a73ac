import { lstatSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { HelixError } from '../contracts/error.ts';
import type { SnapshotId } from '../contracts/snapshot.ts';
import { GitError, git } from './git.ts';
import { removeEntries, scanReplaced } from './git-index.ts';
import type { SnapshotContents } from './objects.ts';
import { combineInputs, isOverlayIntact, layOverlay, overlayRoots } from './overlay.ts';
import type { Overlay } from './overlay.ts';
import { PathSet, absolutePath, decodePath, isSameList, splitRecords } from './paths.ts';
import { hasRealParents, makeFolder, removeEmptyFolder, removePaths, removeWhole } from './removal.ts';
import { helixFolder } from './repository-files.ts';
import { scan } from './scan.ts';
import type { Scan } from './scan.ts';
import { withoutPaths } from './tree-names.ts';
import { refuseForWindows } from './windows-names.ts';
import type { TreeNames } from './tree-names.ts';
import type { Checkout, WorkspaceState } from './workspace-state.ts';

export interface RestoreOptions {
  inputs?: SnapshotId[];
  /** Added to what the workspace was opened with. */
  exclude?: string[];
  signal?: AbortSignal;
}

/** What a workspace is to become. */
interface Target {
  id: SnapshotId;
  contents: SnapshotContents;
  names: TreeNames;
  exclude: string[];
  layers: PathSet;
  inputs: SnapshotId[];
  overlay: Overlay;
}

/** See `Workspace.restore`. */
export async function restoreWorkspace(
  checkout: Checkout,
  id: SnapshotId,
  options: RestoreOptions = {},
): Promise<void> {
  try {
    await bringTo(checkout, id, options);
  } catch (error) {
    if (!(error instanceof GitError)) throw error;
    if (
      /unable to read|cannot read object|missing blob|invalid object|failed to unpack tree|not a tree object|is corrupt|inflate/i.test(
        error.stderr,
      )
    ) {
      throw new HelixError(
        'snapshot.corrupt',
        `snapshot ${id} cannot be restored (${error.message}): import or send it again`,
        { cause: error },
      );
    }
    if (!/index file|bad signature|bad index|index uses|cache entry/i.test(error.stderr)) throw error;
    await checkout.record.forget();
    await bringTo(checkout, id, options);
  }
}

async function bringTo(checkout: Checkout, id: SnapshotId, options: RestoreOptions): Promise<void> {
  const { store, dir, record } = checkout;
  const { signal, inputs = [] } = options;
  const exclude = [...new Set([...checkout.exclude, ...(options.exclude ?? [])])].sort();
  const layers = new PathSet(exclude);
  const contents = await store.contents(id);
  const names = await checkout.names.of(contents.root, signal);
  const overlay = await combineInputs(checkout, inputs, layers);
  if (process.platform === 'win32') for (const one of [names, overlay.names]) refuseForWindows(id, one);
  const target: Target = { id, contents, names, exclude, layers, inputs, overlay };
  if (await isRestored(checkout, target, signal)) return;

  const { state } = record;
  const filtered = await withoutPaths({ gitDir: store.dir }, helixFolder(store.dir), contents.root, names, layers);
  if (state.pending) await finishPending(checkout, state.pending, layers, signal);
  await record.save({ base: null, pending: filtered.root });
  await removePaths(dir, [...state.laid, ...state.declared], layers);
  const before = await removeUntracked(checkout, layers, signal);
  await checkOut(checkout, filtered.root, layers, signal);
  // Again where the snapshot's own .gitignore files may decide otherwise on what stays.
  const isSettled = hasOnlyChanges(before) && (await ignoresAlike(checkout, state, target, before, signal));
  const found = isSettled ? before : await removeUntracked(checkout, layers, signal);
  await settleFolders(checkout, target, found);
  // Sources first, outputs after: a build tool must find its outputs younger. Known before they are laid, in case of a crash.
  await record.save({ laid: overlayRoots(overlay, names), declared: [] });
  await layOverlay(checkout, overlay, signal);
  await record.save({ base: id, exclude, hidden: filtered.hidden, inputs, pending: null });
}

/** Whether the workspace is what the target asks for already; folders are settled on the way. */
async function isRestored(checkout: Checkout, target: Target, signal?: AbortSignal): Promise<boolean> {
  const { state } = checkout.record;
  const isSame =
    state.base === target.id &&
    state.declared.length === 0 &&
    isSameList(state.inputs, target.inputs) &&
    isSameList(state.exclude, target.exclude);
  if (!isSame) return false;
  const [found, isIntact] = await Promise.all([
    scan(checkout.tree, { ignore: true, exclude: new PathSet(target.exclude, state.laid), signal }),
    isOverlayIntact(checkout, target.overlay, target.names, target.layers, signal),
  ]);
  const modified = found.modified.filter((path) => !target.overlay.names.files.has(path));
  if (!isIntact || modified.length + found.deleted.length + found.untracked.length + found.nested.length > 0)
    return false;
  await settleFolders(checkout, target, found);
  return true;
}

/** Ends a checkout that was cut short, so that the index knows all its files; where it cannot be ended, all files go. */
async function finishPending(checkout: Checkout, root: string, layers: PathSet, signal?: AbortSignal): Promise<void> {
  try {
    await checkOut(checkout, root, layers, signal);
  } catch (error) {
    if (!(error instanceof GitError)) throw error;
    const names = await readdir(checkout.dir, { encoding: 'buffer' });
    await removePaths(checkout.dir, names.map(decodePath), layers);
    await checkout.record.forget();
  }
}

/** Whether there was nothing that is in no snapshot. */
function hasOnlyChanges({ untracked, nested, replaced }: Scan): boolean {
  return untracked.length + nested.length + replaced.length === 0;
}

/** Whether the work tree had all .gitignore files that the target has, and no others; `found` is how it differed from the base. */
async function ignoresAlike(
  checkout: Checkout,
  { base, exclude }: WorkspaceState,
  target: Target,
  { modified, deleted }: Scan,
  signal?: AbortSignal,
): Promise<boolean> {
  if (base === null || !isSameList(exclude, target.exclude)) return false;
  if ([...modified, ...deleted].some(isIgnoreFile)) return false;
  const contents = await checkout.store.contents(base).catch(() => undefined);
  if (!contents) return false;
  const former = await checkout.names.of(contents.root, signal);
  const list = ({ files }: TreeNames): string[] =>
    [...files.values()].flatMap(({ path, mode, object }) => (isIgnoreFile(path) ? [`${path} ${mode} ${object}`] : []));
  return isSameList(list(former).sort(), list(target.names).sort());
}

function isIgnoreFile(path: string): boolean {
  return path === '.gitignore' || path.endsWith('/.gitignore');
}

async function checkOut(checkout: Checkout, root: string, layers: PathSet, signal?: AbortSignal): Promise<void> {
  await releaseExcluded(checkout, layers, signal);
  await git(['read-tree', '--reset', '-u', root], { ...checkout.tree, signal });
}

/** Takes what belongs to a layer now out of the index, or the checkout would remove it from the layer. */
async function releaseExcluded(checkout: Checkout, layers: PathSet, signal?: AbortSignal): Promise<void> {
  if (layers.isEmpty) return;
  const tracked = splitRecords(await git(['ls-files', '-z'], { ...checkout.tree, signal })).map(decodePath);
  const excluded = tracked.filter((path) => layers.has(path));
  await removeEntries(checkout.tree, excluded, signal);
}

/** Removes what neither the index knows nor git ignores; returns what is to be said of folders. */
async function removeUntracked(checkout: Checkout, layers: PathSet, signal?: AbortSignal): Promise<Scan> {
  const found = await scanReplaced(checkout.tree, { ignore: true, exclude: layers, signal });
  await removePaths(checkout.dir, [...found.untracked, ...found.nested], layers);
  return found;
}

/** Makes the snapshot's empty folders, removes others, and removes repositories that commands made in its folders. */
async function settleFolders(checkout: Checkout, target: Target, found: Scan): Promise<void> {
  const { dir } = checkout;
  const wanted = new Set(target.contents.emptyFolders.filter((path) => !target.layers.has(path)));
  for (const path of found.empty) if (!wanted.has(path)) await removeEmptyFolder(dir, path);
  for (const path of wanted) await makeFolder(dir, path);
  await removeRepositories(checkout, target, wanted);
}

async function removeRepositories(checkout: Checkout, target: Target, empty: Set<string>): Promise<void> {
  const known = new Map<string, boolean>();
  const found: string[] = [];
  for (const folder of ['', ...target.names.folders, ...target.overlay.names.folders, ...empty]) {
    const path = folder === '' ? '.git' : `${folder}/.git`;
    if (target.layers.has(path)) continue;
    if (
      lstatSync(absolutePath(checkout.dir, path), { throwIfNoEntry: false }) &&
      (await hasRealParents(checkout.dir, path, known))
    ) {
      found.push(path);
    }
  }
  for (const path of found) await removeWhole(absolutePath(checkout.dir, path));
}
