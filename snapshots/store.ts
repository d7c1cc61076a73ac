import { realpath } from 'node:fs/promises';
import { resolve } from 'node:path';
import { HelixError } from '../contracts/error.ts';
import type { SnapshotChange, SnapshotId } from '../contracts/snapshot.ts';
import { GitError, git, gitReason, gitResult } from './git.ts';
import { objectId, objectIdPattern, readObjects, unwrapSnapshot } from './objects.ts';
import type { SnapshotContents } from './objects.ts';
import { decodePath, splitRecords } from './paths.ts';
import { ensureRepositoryFiles } from './repository-files.ts';

/** One file of a snapshot. */
export interface SnapshotFile {
  /** Workspace-relative, with `/`. Bytes that are no UTF-8 are lone surrogates U+DC80 to U+DCFF. */
  path: string;
  bytes: number;
  mode: 'file' | 'executable' | 'symlink';
  /** Git's object id of the content (of the target's text for a symlink). */
  object: string;
}

/** A project's workspaces, content-addressed. Any number of processes may use one store at once. */
export interface SnapshotStore {
  readonly dir: string;
  /** Whether the snapshot is here with all that belongs to it. */
  has(id: SnapshotId): Promise<boolean>;
  /** Whether it is known without a look that the snapshot is here with all that belongs to it. */
  isKnownWhole(id: SnapshotId): boolean;
  /** Remembers that it is, and what its wrapping says, because all of it was just stored or checked. */
  noteWhole(id: SnapshotId, contents: SnapshotContents): void;
  /** Reads and hashes every object of the snapshot. Throws HelixError `snapshot.not-found` or `snapshot.corrupt`. */
  verify(id: SnapshotId): Promise<void>;
  /** Protects the snapshot from garbage collection under `refs/helix/<ref>`, moving the ref when it exists. */
  keep(ref: string, id: SnapshotId): Promise<void>;
  /** The plain tree and the empty folders of a snapshot. */
  contents(id: SnapshotId): Promise<SnapshotContents>;
  /** Every file, sorted by the bytes of its path. */
  list(id: SnapshotId): Promise<SnapshotFile[]>;
  /** The content of one file; undefined when there is none of that path. */
  read(id: SnapshotId, path: string): Promise<Buffer | undefined>;
  /** The contents of many files; paths that are no files are left out. */
  readMany(id: SnapshotId, paths: string[]): Promise<Map<string, Buffer>>;
  /** Paths that differ, sorted. Empty folders do not count. */
  diff(from: SnapshotId, to: SnapshotId): Promise<SnapshotChange[]>;
  /** A patch for `git apply`, with binary content and full object ids; empty when the files are the same. */
  patch(from: SnapshotId, to: SnapshotId): Promise<Buffer>;
}

/**
 * Opens a store, making it when missing or completing it when half made.
 * Throws HelixError `node.unsuitable` when there is no git.
 */
export async function openStore(dir: string): Promise<SnapshotStore> {
  await ensureRepositoryFiles(resolve(dir));
  return new GitSnapshotStore(await realpath(dir));
}

const modes: Record<string, SnapshotFile['mode']> = { '100644': 'file', '100755': 'executable', '120000': 'symlink' };
const changes: Record<string, SnapshotChange['change']> = {
  A: 'added',
  D: 'deleted',
  M: 'modified',
  T: 'type-changed',
};
const rememberedContents = 256;

class GitSnapshotStore implements SnapshotStore {
  readonly dir: string;
  // Objects never change, so what was read once stays true.
  readonly #contents = new Map<SnapshotId, SnapshotContents>();
  readonly #whole = new Set<SnapshotId>();

  constructor(dir: string) {
    this.dir = dir;
  }

  async has(id: SnapshotId): Promise<boolean> {
    if (this.#whole.has(id)) return true;
    if (!objectIdPattern.test(id)) return false;
    const walk = await gitResult(['rev-list', '--objects', '--quiet', id], { gitDir: this.dir });
    if (walk.exitCode !== 0) return false;
    // Any complete tree passes the walk, a snapshot or not.
    const contents = await this.contents(id).catch(() => undefined);
    if (contents) this.#whole.add(id);
    return contents !== undefined;
  }

  isKnownWhole(id: SnapshotId): boolean {
    return this.#whole.has(id);
  }

  noteWhole(id: SnapshotId, contents: SnapshotContents): void {
    this.#whole.add(id);
    this.#remember(id, contents);
  }

  async verify(id: SnapshotId): Promise<void> {
    this.#whole.delete(id);
    await unwrapSnapshot({ gitDir: this.dir }, id).catch((error: unknown) => {
      throw error instanceof GitError ? corrupt(id, this.dir, gitReason(error.stderr), error) : error;
    });
    const walk = await gitResult(['rev-list', '--objects', id], { gitDir: this.dir });
    if (walk.exitCode !== 0) throw corrupt(id, this.dir, gitReason(walk.stderr));
    const ids = walk.stdout
      .toString('latin1')
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => line.slice(0, 40));
    // In portions, so that a large workspace need not fit into memory.
    for (let at = 0; at < ids.length; at += 500) await this.#verifyObjects(id, ids.slice(at, at + 500));
    this.#whole.add(id);
  }

  async #verifyObjects(id: SnapshotId, ids: string[]): Promise<void> {
    const objects = await readObjects({ gitDir: this.dir }, ids).catch((error: unknown) => {
      throw error instanceof GitError ? corrupt(id, this.dir, gitReason(error.stderr), error) : error;
    });
    ids.forEach((expected, index) => {
      const found = objects[index];
      if (!found) throw corrupt(id, this.dir, `object ${expected} is missing`);
      const actual = objectId(Buffer.concat([Buffer.from(`${found.type} ${found.body.length}\0`), found.body]));
      if (actual !== expected) throw corrupt(id, this.dir, `object ${expected} has other content`);
    });
  }

  async keep(ref: string, id: SnapshotId): Promise<void> {
    if (!(await this.has(id))) await this.verify(id);
    const name = `refs/helix/${ref}`;
    const named = await gitResult(['check-ref-format', name]);
    if (named.exitCode !== 0) throw new HelixError('usage.invalid', `"${name}" is no name git accepts for a ref`);
    await git(['update-ref', '--no-deref', name, id], { gitDir: this.dir });
  }

  async contents(id: SnapshotId): Promise<SnapshotContents> {
    const known = this.#contents.get(id);
    if (known) return known;
    const contents = await unwrapSnapshot({ gitDir: this.dir }, id);
    this.#remember(id, contents);
    return contents;
  }

  #remember(id: SnapshotId, contents: SnapshotContents): void {
    if (this.#contents.size >= rememberedContents) this.#contents.delete(this.#contents.keys().next().value!);
    this.#contents.set(id, contents);
  }

  async list(id: SnapshotId): Promise<SnapshotFile[]> {
    const { root } = await this.contents(id);
    const output = await git(['ls-tree', '-r', '-z', '-l', '--full-tree', root], { gitDir: this.dir });
    return splitRecords(output).map((record) => {
      const tab = record.indexOf(0x09);
      const [mode, , object, bytes] = record.toString('latin1', 0, tab).split(/ +/);
      return { path: decodePath(record.subarray(tab + 1)), bytes: Number(bytes), mode: modes[mode!]!, object: object! };
    });
  }

  async read(id: SnapshotId, path: string): Promise<Buffer | undefined> {
    return (await this.readMany(id, [path])).get(path);
  }

  async readMany(id: SnapshotId, paths: string[]): Promise<Map<string, Buffer>> {
    const { root } = await this.contents(id);
    const names = await this.#objectNames(id, root, paths);
    const objects = await readObjects({ gitDir: this.dir }, [...names.values()]);
    const found = new Map<string, Buffer>();
    [...names.keys()].forEach((path, index) => {
      const object = objects[index];
      if (object?.type === 'blob') found.set(path, object.body);
    });
    return found;
  }

  /** Names for `cat-file`: `tree:path` serves the plain paths; the others, which cannot stand on a line of UTF-8, are looked up. */
  async #objectNames(id: SnapshotId, root: string, paths: string[]): Promise<Map<string, string>> {
    const isPlain = (path: string): boolean => path.isWellFormed() && !/[\n\0]|^\.\.?(\/|$)/.test(path) && path !== '';
    const names = new Map(paths.filter(isPlain).map((path) => [path, `${root}:${path}`]));
    const odd = new Set(paths.filter((path) => !isPlain(path)));
    if (odd.size > 0) {
      for (const file of await this.list(id)) if (odd.has(file.path)) names.set(file.path, file.object);
    }
    return names;
  }

  async diff(from: SnapshotId, to: SnapshotId): Promise<SnapshotChange[]> {
    const output = await this.#diffTrees(['-r', '-z', '--name-status', '--no-renames'], from, to);
    const records = splitRecords(output);
    const found: SnapshotChange[] = [];
    for (let at = 0; at + 1 < records.length; at += 2) {
      found.push({ path: decodePath(records[at + 1]!), change: changes[records[at]!.toString()]! });
    }
    return found;
  }

  async patch(from: SnapshotId, to: SnapshotId): Promise<Buffer> {
    const format = ['-p', '--binary', '--full-index', '-M', '--no-ext-diff', '--no-textconv', '--no-color'];
    return this.#diffTrees([...format, '--src-prefix=a/', '--dst-prefix=b/'], from, to);
  }

  async #diffTrees(format: string[], from: SnapshotId, to: SnapshotId): Promise<Buffer> {
    const [old, young] = await Promise.all([this.contents(from), this.contents(to)]);
    if (old.root === young.root) return Buffer.alloc(0);
    return git(['diff-tree', ...format, old.root, young.root], { gitDir: this.dir });
  }
}

function corrupt(id: SnapshotId, dir: string, reason: string, cause?: unknown): HelixError {
  return new HelixError(
    'snapshot.corrupt',
    `snapshot ${id} in the store ${dir} is damaged: ${reason}; import or send it again`,
    {
      cause,
      details: { snapshot: id },
    },
  );
}
