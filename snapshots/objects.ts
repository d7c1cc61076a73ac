import { createHash, randomBytes } from 'node:crypto';
import { access, mkdir, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { deflateSync } from 'node:zlib';
import { HelixError } from '../contracts/error.ts';
import type { SnapshotId } from '../contracts/snapshot.ts';
import { git } from './git.ts';
import { decodePath, splitRecords } from './paths.ts';
import type { GitOptions } from './git.ts';

/** What a snapshot consists of: the plain tree, and what git trees cannot hold. */
export interface SnapshotContents {
  /** Object id of the workspace's tree. */
  root: string;
  /** Folders without anything in them, sorted. */
  emptyFolders: string[];
}

/** Where objects are read: a repository, maybe with further object folders. */
export type Place = GitOptions & { gitDir: string };

export interface TreeEntry {
  mode: string;
  name: Buffer;
  object: string;
}

export const emptyTree = '4b825dc642cb6eb9a060e54bf8d69288fbee4904';
export const objectIdPattern = /^[0-9a-f]{40}$/;

/** Writes a loose object into a store and returns its id, without starting a process. */
export async function writeObject(storeDir: string, type: 'blob' | 'tree' | 'commit', body: Buffer): Promise<string> {
  const data = Buffer.concat([Buffer.from(`${type} ${body.length}\0`), body]);
  const id = objectId(data);
  const folder = join(storeDir, 'objects', id.slice(0, 2));
  const file = join(folder, id.slice(2));
  const exists = await access(file).then(
    () => true,
    () => false,
  );
  if (exists) return id;
  await mkdir(folder, { recursive: true });
  const temporary = join(folder, `tmp_obj_${randomBytes(6).toString('hex')}`);
  try {
    await writeFile(temporary, deflateSync(data), { mode: 0o444 });
    await rename(temporary, file);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
  return id;
}

/** Git's id of an object, given with its header. */
export function objectId(data: Buffer): string {
  return createHash('sha1').update(data).digest('hex');
}

/** Wraps a tree and its empty folders into a snapshot. */
export async function wrapSnapshot(storeDir: string, contents: SnapshotContents): Promise<SnapshotId> {
  const entries: TreeEntry[] = [{ mode: '40000', name: Buffer.from('root'), object: contents.root }];
  if (contents.emptyFolders.length > 0) {
    const meta = JSON.stringify({ emptyFolders: [...contents.emptyFolders].sort() });
    const object = await writeObject(storeDir, 'blob', Buffer.from(meta));
    entries.unshift({ mode: '100644', name: Buffer.from('meta'), object });
  }
  const body = entries.flatMap(({ mode, name, object }) => [
    Buffer.from(`${mode} `),
    name,
    Buffer.alloc(1),
    Buffer.from(object, 'hex'),
  ]);
  return writeObject(storeDir, 'tree', Buffer.concat(body));
}

/** Reads a snapshot's wrapping. Throws HelixError `snapshot.not-found` or `snapshot.corrupt`. */
export async function unwrapSnapshot(place: Place, id: SnapshotId): Promise<SnapshotContents> {
  if (!objectIdPattern.test(id))
    throw new HelixError('snapshot.not-found', `"${id}" is no snapshot id: it has 40 hexadecimal digits`);
  const [wrapping, meta] = await readObjects(place, [id, `${id}:meta`]);
  if (!wrapping) {
    throw new HelixError(
      'snapshot.not-found',
      `snapshot ${id} is not in the store ${place.gitDir}: send it there first`,
      {
        details: { snapshot: id },
      },
    );
  }
  const entries = wrapping.type === 'tree' ? parseTree(wrapping.body) : [];
  const shape = entries.map((entry) => `${entry.mode} ${entry.name.toString()}`).join();
  if (shape !== '40000 root' && shape !== '100644 meta,40000 root') {
    throw new HelixError(
      'snapshot.corrupt',
      `object ${id} in ${place.gitDir} is no snapshot (a ${wrapping.type} of another shape)`,
    );
  }
  if (entries.length > 1 && !meta) {
    throw new HelixError('snapshot.corrupt', `snapshot ${id} in ${place.gitDir} lacks its list of empty folders`, {
      details: { snapshot: id },
    });
  }
  return { root: entries.at(-1)!.object, emptyFolders: meta ? parseMeta(id, meta.body) : [] };
}

function parseMeta(id: SnapshotId, body: Buffer): string[] {
  try {
    const { emptyFolders } = JSON.parse(body.toString()) as { emptyFolders: unknown };
    if (Array.isArray(emptyFolders) && emptyFolders.every((path) => typeof path === 'string' && isSafePath(path)))
      return emptyFolders;
  } catch {
    // Falls through to the one error for every way it can be wrong.
  }
  throw new HelixError(
    'snapshot.corrupt',
    `the list of empty folders of snapshot ${id} cannot be read or names a path outside the workspace`,
  );
}

/** Whether a path of a tree stays inside the workspace and is no folder of git's own. */
export function isSafePath(path: string): boolean {
  return (
    path.split('/').every((name) => name !== '' && name !== '.' && name !== '..' && name.toLowerCase() !== '.git') &&
    !path.includes('\0')
  );
}

/** The entries of a raw tree object. */
export function parseTree(body: Buffer): TreeEntry[] {
  const entries: TreeEntry[] = [];
  for (let at = 0; at < body.length;) {
    const space = body.indexOf(0x20, at);
    const end = body.indexOf(0, space);
    entries.push({
      mode: body.toString('latin1', at, space),
      name: body.subarray(space + 1, end),
      object: body.toString('hex', end + 1, end + 21),
    });
    at = end + 21;
  }
  return entries;
}

export interface StoredObject {
  object: string;
  type: string;
  body: Buffer;
}

/** Reads objects by name through one `cat-file --batch`; what is missing is undefined. Names may not contain line breaks. */
export async function readObjects(place: Place, names: string[]): Promise<(StoredObject | undefined)[]> {
  if (names.length === 0) return [];
  const output = await git(['cat-file', '--batch'], { ...place, input: names.map((name) => `${name}\n`).join('') });
  let at = 0;
  return names.map(() => {
    const lineEnd = output.indexOf(0x0a, at);
    const header = output.toString('utf8', at, lineEnd);
    at = lineEnd + 1;
    const match = /^([0-9a-f]{40}) (\w+) (\d+)$/.exec(header);
    if (!match) return undefined;
    const body = output.subarray(at, at + Number(match[3]));
    at += body.length + 1;
    return { object: match[1]!, type: match[2]!, body };
  });
}

/** An entry that differs between two trees; modes are `000000` where there is none. */
export interface TreeChange {
  path: string;
  oldMode: string;
  mode: string;
  object: string;
}

/** What differs between two trees, folders included. */
export async function listChanges(place: Place, from: string, to: string, signal?: AbortSignal): Promise<TreeChange[]> {
  const args = ['diff-tree', '-r', '-t', '-z', '--raw', '--no-renames', '--no-abbrev', from, to];
  const records = splitRecords(await git(args, { ...place, signal }));
  const changes: TreeChange[] = [];
  for (let at = 0; at + 1 < records.length; at += 2) {
    const [oldMode, mode, , object] = records[at]!.toString('latin1', 1).split(' ');
    changes.push({ path: decodePath(records[at + 1]!), oldMode: oldMode!, mode: mode!, object: object! });
  }
  return changes;
}
