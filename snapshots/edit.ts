import { HelixError } from '../contracts/error.ts';
import type { SnapshotId } from '../contracts/snapshot.ts';
import { emptyTree, isSafePath, parseTree, readObjects, wrapSnapshot, writeObject } from './objects.ts';
import type { TreeEntry } from './objects.ts';
import { encodePath, parentFolders } from './paths.ts';
import type { SnapshotStore } from './store.ts';

/**
 * One change of a workspace, by its workspace-relative path.
 * `content`: the file's new bytes; a file that exists keeps its executable bit unless `executable` says otherwise; null deletes the file,
 * or the folder with all below it. `from`: the file or folder as the snapshot, or the snapshot `of`, has it at a path (a copy; with the deletion
 * of `from`, a move).
 */
export type FileChange =
  { path: string; content: Buffer | null; executable?: boolean } | { path: string; from: string; of?: SnapshotId };

/**
 * A new snapshot with the changes made, without any checkout. Deletions come first, whatever their place in the list; deleting what is not
 * there changes nothing. Folders on the way to a file are made; a folder disappears with its last file, as in git.
 * Throws HelixError `usage.invalid` for a path that leaves the workspace or that git could not check out, for one given twice, and when a
 * folder is where a file is to be written or a file where a folder is needed.
 */
export async function editSnapshot(
  store: SnapshotStore,
  snapshot: SnapshotId,
  changes: FileChange[],
): Promise<SnapshotId> {
  checkPaths(changes);
  const { root, emptyFolders } = await store.contents(snapshot);
  const trees = new Trees(store.dir);
  await trees.prefetch(root, changes.flatMap(foldersOf));
  const copies = new Map<FileChange, Copy>();
  for (const change of changes) {
    if ('from' in change) copies.set(change, await readCopy(store, trees, change.of ?? snapshot, change.from));
  }

  const tree = await trees.folder(root);
  let folders = emptyFolders;
  for (const change of changes) {
    if ('from' in change || change.content !== null) continue;
    await remove(trees, tree, change.path.split('/'));
    folders = folders.filter((path) => !isAtOrBelow(path, change.path));
  }
  for (const change of changes) {
    const names = change.path.split('/');
    const copy = copies.get(change);
    if (copy) {
      const { entry } = copy;
      folders = [...withoutParentsOf(folders, change.path), ...copy.emptyFolders.map((path) => change.path + path)];
      if (entry) await put(trees, tree, names, change.path, () => Promise.resolve(entry));
    } else if ('from' in change) continue;
    else if (change.content !== null) {
      const { content, executable } = change;
      if (folders.some((path) => isAtOrBelow(path, change.path))) throw invalid(change.path, 'is a folder');
      folders = withoutParentsOf(folders, change.path);
      await put(trees, tree, names, change.path, async (old) => ({
        mode: (executable ?? old?.mode === '100755') ? '100755' : '100644',
        name: Buffer.alloc(0),
        object: await writeObject(store.dir, 'blob', content),
      }));
    }
  }
  const edited = await write(store.dir, tree);
  return wrapSnapshot(store.dir, { root: edited ?? emptyTree, emptyFolders: [...new Set(folders)].sort() });
}

/** What is to be put elsewhere: an entry, or nothing but empty folders. */
interface Copy {
  entry: TreeEntry | undefined;
  /** At it or below it, without its own path. */
  emptyFolders: string[];
}

async function readCopy(store: SnapshotStore, trees: Trees, snapshot: SnapshotId, path: string): Promise<Copy> {
  const { root, emptyFolders } = await store.contents(snapshot);
  const entry = await find(trees, await trees.folder(root), path);
  const below = emptyFolders.filter((folder) => isAtOrBelow(folder, path)).map((folder) => folder.slice(path.length));
  if (!entry && below.length === 0) throw invalid(path, 'is not there');
  return { entry, emptyFolders: below };
}

/** An entry of a folder; of a folder that was opened, what is in it. */
interface Node {
  mode: string;
  object: string;
  children?: Folder;
}

/** By the names' bytes, as latin1. */
type Folder = Map<string, Node>;

const folderMode = '40000';

/** Reads trees: those on plain paths all at once, the others when they are come to. */
class Trees {
  readonly #dir: string;
  readonly #known = new Map<string, Buffer>();

  constructor(dir: string) {
    this.#dir = dir;
  }

  async prefetch(root: string, folders: string[]): Promise<void> {
    const plain = [...new Set(folders)].filter((path) => path.isWellFormed() && !path.includes('\n'));
    const names = [root, ...plain.map((path) => `${root}:${path}`)];
    for (const object of await readObjects({ gitDir: this.#dir }, names)) {
      if (object?.type === 'tree') this.#known.set(object.object, object.body);
    }
  }

  async folder(object: string): Promise<Folder> {
    const body = this.#known.get(object) ?? (await this.#read(object));
    return new Map(
      parseTree(body).map(({ mode, name, object: id }) => [name.toString('latin1'), { mode, object: id }]),
    );
  }

  async #read(object: string): Promise<Buffer> {
    const [found] = await readObjects({ gitDir: this.#dir }, [object]);
    if (found?.type !== 'tree') {
      throw new HelixError('snapshot.corrupt', `the store ${this.#dir} lacks the folder ${object} of a snapshot`);
    }
    return found.body;
  }
}

async function open(trees: Trees, node: Node): Promise<Folder> {
  node.children ??= await trees.folder(node.object);
  return node.children;
}

async function find(trees: Trees, root: Folder, path: string): Promise<TreeEntry | undefined> {
  const names = path.split('/');
  let folder = root;
  for (const name of names.slice(0, -1)) {
    const node = folder.get(key(name));
    if (node?.mode !== folderMode) return undefined;
    folder = await open(trees, node);
  }
  const node = folder.get(key(names.at(-1)!));
  return node && { mode: node.mode, object: node.object, name: Buffer.alloc(0) };
}

async function remove(trees: Trees, folder: Folder, [name, ...rest]: string[]): Promise<void> {
  const node = folder.get(key(name!));
  if (!node) return;
  if (rest.length === 0) {
    folder.delete(key(name!));
    return;
  }
  if (node.mode !== folderMode) return;
  const children = await open(trees, node);
  await remove(trees, children, rest);
  if (children.size === 0) folder.delete(key(name!));
}

async function put(
  trees: Trees,
  root: Folder,
  names: string[],
  path: string,
  make: (old: Node | undefined) => Promise<TreeEntry>,
): Promise<void> {
  let folder = root;
  for (const [index, name] of names.slice(0, -1).entries()) {
    const node = folder.get(key(name)) ?? { mode: folderMode, object: emptyTree, children: new Map() };
    if (node.mode !== folderMode) throw invalid(names.slice(0, index + 1).join('/'), 'is no folder');
    folder.set(key(name), node);
    folder = await open(trees, node);
  }
  const old = folder.get(key(names.at(-1)!));
  if (old?.mode === folderMode) throw invalid(path, 'is a folder');
  const { mode, object } = await make(old);
  folder.set(key(names.at(-1)!), { mode, object });
}

/** Stores a folder with all that was opened below it; undefined when nothing is in it. */
async function write(dir: string, folder: Folder): Promise<string | undefined> {
  const entries: (TreeEntry & { sortKey: Buffer })[] = [];
  for (const [name, node] of folder) {
    const object = node.children ? await write(dir, node.children) : node.object;
    if (object === undefined) continue;
    const bytes = Buffer.from(name, 'latin1');
    // Git sorts a folder as if its name ended in a slash.
    const sortKey = node.mode === folderMode ? Buffer.concat([bytes, Buffer.from('/')]) : bytes;
    entries.push({ mode: node.mode, name: bytes, object, sortKey });
  }
  if (entries.length === 0) return undefined;
  entries.sort((left, right) => Buffer.compare(left.sortKey, right.sortKey));
  const parts = entries.flatMap(({ mode, name, object }) => [
    Buffer.from(`${mode} `),
    name,
    Buffer.alloc(1),
    Buffer.from(object, 'hex'),
  ]);
  return writeObject(dir, 'tree', Buffer.concat(parts));
}

function key(name: string): string {
  return encodePath(name).toString('latin1');
}

function foldersOf(change: FileChange): string[] {
  return [...parentFolders(change.path), ...('from' in change ? parentFolders(change.from) : [])];
}

function isAtOrBelow(path: string, folder: string): boolean {
  return path === folder || path.startsWith(`${folder}/`);
}

function withoutParentsOf(folders: string[], path: string): string[] {
  return folders.filter((folder) => !isAtOrBelow(path, folder));
}

function checkPaths(changes: FileChange[]): void {
  const seen = new Set<string>();
  for (const change of changes) {
    for (const path of 'from' in change ? [change.path, change.from] : [change.path]) {
      if (!isSafePath(path) || path.split('/').some(isRefusedByGit)) {
        throw invalid(path, 'is no path inside the workspace that git can check out: give one relative to its root');
      }
    }
    if (seen.has(change.path)) throw invalid(change.path, 'is given twice in one edit');
    seen.add(change.path);
    if ('from' in change && change.of === undefined && isAtOrBelow(change.path, change.from)) {
      throw invalid(change.path, `is ${change.from} itself or below it: a folder cannot be put into itself`);
    }
  }
}

// Names under which NTFS or HFS+ would find `.git`: git itself refuses to check them out. The ignorable characters are those of HFS+.
function isRefusedByGit(name: string): boolean {
  const seen = name.replace(/[\u200c-\u200f\u202a-\u202e\u206a-\u206f\ufeff]/gu, '').toLowerCase();
  return /^(\.git|git~\d+)[ .]*([:\\].*)?$/.test(seen) || encodePath(name).length > 255;
}

function invalid(path: string, problem: string): HelixError {
  return new HelixError('usage.invalid', `${JSON.stringify(path)} ${problem}`, { details: { path } });
}
