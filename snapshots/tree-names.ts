import { git } from './git.ts';
import { setEntries, writeTree } from './git-index.ts';
import type { IndexEntry } from './git-index.ts';
import { listChanges, type Place } from './objects.ts';
import { decodePath, splitRecords } from './paths.ts';
import type { PathSet } from './paths.ts';
import { withScratchFolder } from './repository-files.ts';

/** Every path of a tree. */
export interface TreeNames {
  folders: Set<string>;
  files: Map<string, IndexEntry>;
}

/** Lists a tree with all below it. Links to commits count as files. */
export async function readTreeNames(place: Place, root: string, signal?: AbortSignal): Promise<TreeNames> {
  const output = await git(['ls-tree', '-r', '-t', '-z', '--full-tree', root], { ...place, signal });
  const names: TreeNames = { folders: new Set(), files: new Map() };
  for (const record of splitRecords(output)) {
    const tab = record.indexOf(0x09);
    const [mode, type, object] = record.toString('latin1', 0, tab).split(' ');
    const path = decodePath(record.subarray(tab + 1));
    if (type === 'tree') names.folders.add(path);
    else names.files.set(path, { mode: mode!, object: object!, path });
  }
  return names;
}

/** A tree without the files in a set. */
export interface FilteredTree {
  root: string;
  /** What was left out. */
  hidden: IndexEntry[];
}

/** Leaves out of a tree what is in `exclude`; the tree itself when nothing is. */
export async function withoutPaths(
  place: Place,
  scratch: string,
  root: string,
  names: TreeNames,
  exclude: PathSet,
): Promise<FilteredTree> {
  if (exclude.isEmpty) return { root, hidden: [] };
  const hidden = [...names.files.values()].filter((entry) => exclude.has(entry.path));
  if (hidden.length === 0) return { root, hidden };
  const removals = hidden.map((entry) => ({ ...entry, mode: '0' }));
  return { root: await editTree(place, scratch, root, removals), hidden };
}

/** The tree that results when entries are put into a tree or, with mode `0`, removed from it. */
export async function editTree(place: Place, scratch: string, root: string, entries: IndexEntry[]): Promise<string> {
  if (entries.length === 0) return root;
  return withScratchFolder(scratch, async (folder) => {
    const indexFile = `${folder}/index`;
    const tree = { ...place, indexFile };
    await git(['read-tree', root], tree);
    await setEntries(tree, entries);
    return writeTree(tree);
  });
}

/** Remembers the names of the trees used last, since most restores go back to the same one. */
export class TreeNamesCache {
  readonly #gitDir: string;
  readonly #known = new Map<string, TreeNames>();

  constructor(gitDir: string) {
    this.#gitDir = gitDir;
  }

  async of(root: string, signal?: AbortSignal): Promise<TreeNames> {
    const names = this.#known.get(root) ?? (await this.#read(root, signal));
    this.#known.delete(root);
    this.#known.set(root, names);
    if (this.#known.size > 4) this.#known.delete(this.#known.keys().next().value!);
    return names;
  }

  /** From the tree used last, which most trees are much alike. */
  async #read(root: string, signal?: AbortSignal): Promise<TreeNames> {
    const place = { gitDir: this.#gitDir };
    const last = [...this.#known].at(-1);
    if (!last) return await readTreeNames(place, root, signal);
    const [lastRoot, { folders, files }] = last;
    const names: TreeNames = { folders: new Set(folders), files: new Map(files) };
    const changes = await listChanges(place, lastRoot, root, signal);
    for (const { path, oldMode } of changes) (isTree(oldMode) ? names.folders : names.files).delete(path);
    for (const { path, mode, object } of changes) {
      if (isTree(mode)) names.folders.add(path);
      else if (mode !== noMode) names.files.set(path, { mode, object, path });
    }
    return names;
  }
}

const noMode = '000000';

function isTree(mode: string): boolean {
  return mode === '040000';
}
