import { createHash } from 'node:crypto';
import { lstat, readdir } from 'node:fs/promises';
import { HelixError } from '../contracts/error.ts';
import type { SnapshotId } from '../contracts/snapshot.ts';
import { scanThroughNested, storeChanges } from './git-index.ts';
import { emptyTree, wrapSnapshot } from './objects.ts';
import { changedSinceLaid, combineInputs } from './overlay.ts';
import { PathSet, absolutePath, isSameList, normalizeRelative } from './paths.ts';
import { hasRealParents } from './removal.ts';
import { helixFolder } from './repository-files.ts';
import type { Scan } from './scan.ts';
import { editTree } from './tree-names.ts';
import type { Checkout } from './workspace-state.ts';

export interface CaptureOptions {
  /** Added to what the workspace was opened with. */
  exclude?: string[];
  signal?: AbortSignal;
}

/** See `Workspace.capture`. */
export async function captureWorkspace(checkout: Checkout, options: CaptureOptions = {}): Promise<SnapshotId> {
  const { store, record, tree } = checkout;
  const { signal } = options;
  const layers = new PathSet([...new Set([...checkout.exclude, ...record.state.exclude, ...(options.exclude ?? [])])]);
  const { base, laid, declared, hidden } = record.state;
  const outputs = [...laid, ...declared];
  const exclude = new PathSet(layers.globs, outputs);
  // A base that nobody kept may have been collected as garbage; all that is in the index is still there.
  const before = base === null ? undefined : await store.contents(base).catch(() => undefined);

  // Until the end the index is between two snapshots.
  const how = { ignore: true, exclude, signal };
  const found = await ownChanges(checkout, await scanThroughNested(tree, how, begin), layers, signal);
  const kept = before ? await keptFolders(checkout, before.emptyFolders, layers, new PathSet([], outputs)) : [];
  const withKept = (folders: string[]): string[] => [...new Set([...folders, ...kept])].sort();
  const isChanged = found.modified.length + found.deleted.length + found.untracked.length > 0;
  const isSame = before !== undefined && isSameList(before.emptyFolders, withKept(found.empty));
  if (base !== null && isSame && !isChanged && record.state.base === base) return base;

  await begin();
  const stored = await storeChanges(tree, found, how);
  const root = await editTree({ gitDir: store.dir }, helixFolder(store.dir), stored.root, hidden);
  const contents = { root, emptyFolders: withKept(stored.emptyFolders) };
  const id = await wrapSnapshot(store.dir, contents);
  if (base !== null && store.isKnownWhole(base)) store.noteWhole(id, contents);
  await record.save({ base: id });
  return id;

  async function begin(): Promise<void> {
    if (record.state.base !== null) await record.save({ base: null });
  }
}

/** Leaves out what belongs to layers, and files of the snapshot that an input covers and nobody changed since. */
async function ownChanges(checkout: Checkout, found: Scan, layers: PathSet, signal?: AbortSignal): Promise<Scan> {
  const { inputs } = checkout.record.state;
  let modified = found.modified.filter((path) => !layers.has(path));
  const deleted = found.deleted.filter((path) => !layers.has(path));
  if (inputs.length > 0 && modified.length > 0) {
    const overlay = await combineInputs(checkout, inputs, layers);
    const covered = modified.some((path) => overlay.names.files.has(path));
    const changed = covered ? await changedSinceLaid(checkout, signal) : new Set<string>();
    modified = modified.filter((path) => !overlay.names.files.has(path) || changed.has(path));
  }
  return { ...found, modified, deleted };
}

/** Empty folders of the base that the scan does not look at: those in layers stay as they were, those in outputs if they still are. */
async function keptFolders(
  checkout: Checkout,
  folders: string[],
  layers: PathSet,
  outputs: PathSet,
): Promise<string[]> {
  const kept: string[] = [];
  for (const path of folders) {
    if (layers.has(path)) kept.push(path);
    else if (outputs.has(path) && (await isEmptyFolder(checkout.dir, path))) kept.push(path);
  }
  return kept;
}

async function isEmptyFolder(root: string, path: string): Promise<boolean> {
  if (!(await hasRealParents(root, path, new Map()))) return false;
  const entries = await readdir(absolutePath(root, path)).catch(() => undefined);
  return entries?.length === 0;
}

/** See `Workspace.captureOutputs`. */
export async function captureOutputs(
  checkout: Checkout,
  paths: string[],
  options: { signal?: AbortSignal } = {},
): Promise<SnapshotId | undefined> {
  const { store, dir, record } = checkout;
  const wanted = [...new Set(paths.map((path) => normalizeRelative(path, 'the output')))].sort();
  const present = await Promise.all(wanted.map((path) => isPresent(dir, path)));
  if (wanted.length === 0) return undefined;
  // Before anything is stored: also outputs of a step that failed half-way must not get into a snapshot.
  await record.save({ declared: [...new Set([...record.state.declared, ...wanted])] });
  if (!present.includes(true)) return undefined;

  // An index for each set of paths, so that unchanged outputs need not be read again.
  const name = createHash('sha256').update(wanted.join('\0')).digest('hex').slice(0, 16);
  const tree = { ...checkout.tree, indexFile: `${record.folder}/outputs-${name}.index` };
  const exclude = new PathSet([...new Set([...checkout.exclude, ...record.state.exclude])]);
  const how = { ignore: false, exclude, paths: wanted, signal: options.signal };
  const stored = await storeChanges(tree, await scanThroughNested(tree, how), how);
  if (stored.root === emptyTree && stored.emptyFolders.length === 0) return undefined;
  return wrapSnapshot(store.dir, stored);
}

async function isPresent(dir: string, path: string): Promise<boolean> {
  const known = new Map<string, boolean>();
  if (await hasRealParents(dir, path, known)) {
    return (await lstat(absolutePath(dir, path)).catch(() => undefined)) !== undefined;
  }
  for (const folder of known.keys()) {
    const stat = await lstat(absolutePath(dir, folder)).catch(() => undefined);
    if (stat?.isSymbolicLink()) {
      throw new HelixError(
        'usage.invalid',
        `the output ${path} leads through the symlink ${folder}, maybe out of the workspace: name the folder itself`,
      );
    }
  }
  return false;
}
