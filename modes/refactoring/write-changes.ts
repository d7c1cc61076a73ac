import {
  chmodSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  rmSync,
  rmdirSync,
  statSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { dirname } from 'node:path';
import { notApplicable } from './change.ts';
import { isDeclarationFile } from './paths.ts';
import { listFiles } from './workspace-files.ts';
import type { Workspace } from './workspace.ts';

/**
 * Writes new contents (null removes the file) and returns the paths that differ now, sorted. All of them are written or none:
 * an error in between, or a new file that git would ignore and so lose, puts everything back and is thrown.
 */
export async function writeChanges(workspace: Workspace, files: Map<string, string | null>): Promise<string[]> {
  const undo: (() => void)[] = [];
  try {
    const made: string[] = [];
    const changed: string[] = [];
    // Removed files last: a file that moves hands its mode on to its new place.
    const order = [...files].sort(([, a], [, b]) => Number(a === null) - Number(b === null));
    const removed = order.filter(([, text]) => text === null).map(([path]) => path);
    for (const [path, text] of order) {
      if (text !== null && workspace.read(path) === text) continue;
      changed.push(path);
      if (text === null) remove(workspace, path, undo);
      else if (workspace.has(path)) replace(workspace, path, text, undo);
      else {
        made.push(path);
        create(workspace, path, text, originOf(path, removed), undo);
      }
    }
    await refuseIgnored(workspace, made);
    return changed.sort();
  } catch (error) {
    for (const step of undo.reverse()) step();
    throw error;
  }
}

/** The file a new one takes the place of: the removed one of the same kind. */
function originOf(path: string, removed: string[]): string | undefined {
  return removed.find((one) => isDeclarationFile(one) === isDeclarationFile(path));
}

function replace(workspace: Workspace, path: string, text: string, undo: (() => void)[]): void {
  const file = workspace.locate(path);
  const before = readFileSync(file);
  undo.push(() => writeFileSync(file, before));
  writeFileSync(file, workspace.encode(path, text));
}

function create(
  workspace: Workspace,
  path: string,
  text: string,
  origin: string | undefined,
  undo: (() => void)[],
): void {
  const file = workspace.locate(path);
  const folder = mkdirSync(dirname(file), { recursive: true });
  if (folder) undo.push(() => removeEmptyFolders(dirname(file), dirname(folder)));
  if (lstatSync(file, { throwIfNoEntry: false })) throw notApplicable(`${path} is there already.`);
  undo.push(() => rmSync(file, { force: true }));
  writeFileSync(file, workspace.encode(origin ?? path, text), { flag: 'wx' });
  if (origin) chmodSync(file, statSync(workspace.locate(origin)).mode);
}

function remove(workspace: Workspace, path: string, undo: (() => void)[]): void {
  const file = workspace.locate(path);
  const before = readFileSync(file);
  const { mode } = statSync(file);
  undo.push(() => {
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, before, { mode });
  });
  unlinkSync(file);
  removeEmptyFolders(dirname(file), workspace.root);
}

/** Removes `folder` and what is above it while empty, up to and without `end`. */
function removeEmptyFolders(folder: string, end: string): void {
  for (let current = folder; current !== end && current.startsWith(end); current = dirname(current)) {
    try {
      rmdirSync(current);
    } catch {
      return;
    }
  }
}

async function refuseIgnored(workspace: Workspace, made: string[]): Promise<void> {
  if (made.length === 0) return;
  const kept = await listFiles(
    workspace.root,
    made.map((path) => `:(literal)${path}`),
  );
  const lost = made.find((path) => !kept.includes(path));
  if (lost) throw notApplicable(`git ignores ${lost}, so the file would be lost: choose another place.`);
}
