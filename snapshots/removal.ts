import { chmod, lstat, mkdir, readdir, rm, rmdir, unlink } from 'node:fs/promises';
import { absolutePath, decodePath, parentFolders } from './paths.ts';
import type { PathSet } from './paths.ts';

/*
 * Removing and making paths in a workspace whose commands may have put symlinks anywhere: nothing here follows one, since it might
 * lead out of the workspace.
 */

/** Removes files or folders, except what is in `keep`, and the folders above that are empty then. */
export async function removePaths(root: string, paths: Iterable<string>, keep: PathSet): Promise<void> {
  const parents = new Map<string, boolean>();
  for (const path of paths) {
    if (keep.has(path) || !(await hasRealParents(root, path, parents))) continue;
    await removeTree(root, path, keep);
    await removeEmptyParents(root, path);
  }
}

/** Removes an empty folder and the folders above that are empty then. */
export async function removeEmptyFolder(root: string, path: string): Promise<void> {
  if (!(await hasRealParents(root, path, new Map()))) return;
  if (await tryRemoveFolder(root, path)) await removeEmptyParents(root, path);
}

/** Makes a folder and those above it; whatever else stands in the way is removed. */
export async function makeFolder(root: string, path: string): Promise<void> {
  for (const folder of [...parentFolders(path)].reverse().concat(path)) {
    const at = absolutePath(root, folder);
    const stat = await lstat(at).catch(() => undefined);
    if (stat?.isDirectory()) continue;
    if (stat) await unlink(at);
    await mkdir(at);
  }
}

/** Whether every folder above a path is a folder, and none a symlink. `known` remembers what was looked up. */
export async function hasRealParents(root: string, path: string, known: Map<string, boolean>): Promise<boolean> {
  for (const folder of [...parentFolders(path)].reverse()) {
    let isReal = known.get(folder);
    if (isReal === undefined) {
      isReal = (await lstat(absolutePath(root, folder)).catch(() => undefined))?.isDirectory() ?? false;
      known.set(folder, isReal);
    }
    if (!isReal) return false;
  }
  return true;
}

async function removeTree(root: string, path: string, keep: PathSet): Promise<void> {
  if (!keep.mayReachInto(path)) return removeWhole(absolutePath(root, path));
  const stat = await lstat(absolutePath(root, path)).catch(() => undefined);
  if (!stat?.isDirectory()) return removeWhole(absolutePath(root, path));
  for (const name of await readdir(absolutePath(root, path), { encoding: 'buffer' })) {
    const child = `${path}/${decodePath(name)}`;
    if (!keep.has(child)) await removeTree(root, child, keep);
  }
  await tryRemoveFolder(root, path);
}

/** Removes a file or a folder with all in it, also when folders in it are read-only. */
export async function removeWhole(path: string | Buffer): Promise<void> {
  // Most are plain files, and this is the one call they need.
  try {
    return await unlink(path);
  } catch (error) {
    if (isMissing(error)) return;
  }
  try {
    await rm(path, { recursive: true, force: true, maxRetries: 3 });
  } catch (error) {
    // Some tools make their caches read-only (Go's modules).
    if (!['EACCES', 'EPERM', 'ENOTEMPTY'].includes((error as NodeJS.ErrnoException).code ?? '')) throw error;
    await makeWritable(path);
    await rm(path, { recursive: true, force: true, maxRetries: 3 });
  }
}

async function makeWritable(folder: string | Buffer): Promise<void> {
  const stat = await lstat(folder).catch(() => undefined);
  if (!stat?.isDirectory()) return;
  await chmod(folder, 0o700);
  for (const entry of await readdir(folder, { withFileTypes: true, encoding: 'buffer' })) {
    if (entry.isDirectory()) await makeWritable(Buffer.concat([Buffer.from(folder), Buffer.from('/'), entry.name]));
  }
}

async function removeEmptyParents(root: string, path: string): Promise<void> {
  for (const folder of parentFolders(path)) if (!(await tryRemoveFolder(root, folder))) return;
}

async function tryRemoveFolder(root: string, path: string): Promise<boolean> {
  return rmdir(absolutePath(root, path)).then(
    () => true,
    (error: unknown) => isMissing(error),
  );
}

function isMissing(error: unknown): boolean {
  return ['ENOENT', 'ENOTDIR'].includes((error as NodeJS.ErrnoException).code ?? '');
}
