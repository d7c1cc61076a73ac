import { createHash, randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { chmod, mkdir, readdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { HelixError } from '../contracts/error.ts';
import { git, gitReason, gitResult } from './git.ts';
import { emptyTree, isSafePath, listChanges } from './objects.ts';
import type { Place } from './objects.ts';

// Up to this many objects are stored one by one: a pack for every step would slow down every later look-up.
const looseLimit = 100;

// What `.gitmodules` and `.gitattributes` say, and names that only other file systems take for `.git`, are content like any other
// here. `.git` itself is refused by `checkTree`.
const leniency = [
  'hasDotgit',
  'gitmodulesBlob',
  'gitmodulesLarge',
  'gitmodulesMissing',
  'gitmodulesName',
  'gitmodulesParse',
]
  .concat(['gitmodulesPath', 'gitmodulesSymlink', 'gitmodulesUpdate', 'gitmodulesUrl'])
  .map((check) => `${check}=ignore`);
const leniencySince239 = [
  'gitattributesBlob',
  'gitattributesLarge',
  'gitattributesLineLength',
  'gitattributesMissing',
].map((check) => `${check}=ignore`);

/** Runs `use` with an empty folder for objects inside a repository; it is gone afterwards. */
export async function withQuarantine<T>(gitDir: string, use: (objectDir: string) => Promise<T>): Promise<T> {
  // Git's own name for such folders, so that its clean-up finds one that a crash left.
  const objectDir = join(gitDir, 'objects', `tmp_objdir-helix-${randomBytes(6).toString('hex')}`);
  await mkdir(join(objectDir, 'pack'), { recursive: true });
  try {
    return await use(objectDir);
  } finally {
    await rm(objectDir, { recursive: true, force: true, maxRetries: 3 });
  }
}

/**
 * Stores the objects of a pack. Unless `lenient`, the form of each is checked, too.
 * Throws GitError when one is malformed, HelixError `snapshot.corrupt` when it is no pack, and what the stream throws.
 */
export async function receivePack(place: Place, stream: Readable, options: { lenient?: boolean } = {}): Promise<void> {
  const iterator = stream[Symbol.asyncIterator]() as AsyncIterator<Buffer>;
  const [head, accepted] = await Promise.all([readHead(iterator), options.lenient ? undefined : knownLeniency(place)]);
  if (head.length < 12 || head.toString('latin1', 0, 4) !== 'PACK') {
    throw new HelixError(
      'snapshot.corrupt',
      `what arrived is no pack (it begins with ${JSON.stringify(head.toString('latin1', 0, 12))}): send it again`,
    );
  }
  const strict = accepted === undefined ? [] : [`--strict=${accepted}`];
  const args =
    head.readUInt32BE(8) <= looseLimit
      ? ['unpack-objects', '-q', ...strict]
      : ['index-pack', '--stdin', '--fix-thin', ...strict];
  const input = Readable.from(rest(head, iterator), { objectMode: false });
  await git(args, { ...place, input });
}

async function readHead(iterator: AsyncIterator<Buffer>): Promise<Buffer> {
  let head = Buffer.alloc(0);
  while (head.length < 12) {
    const next = await iterator.next();
    if (next.done) break;
    head = Buffer.concat([head, next.value]);
  }
  return head;
}

async function* rest(head: Buffer, iterator: AsyncIterator<Buffer>): AsyncGenerator<Buffer> {
  yield head;
  for (let next = await iterator.next(); !next.done; next = await iterator.next()) yield next.value;
}

/** Git before 2.39 (and its security updates) fails on the names of checks it does not know. */
async function knownLeniency(place: Place): Promise<string> {
  const all = [...leniency, ...leniencySince239].join();
  const probe = await gitResult(['unpack-objects', '-n', '-q', `--strict=${all}`], {
    gitDir: place.gitDir,
    input: emptyPack,
  });
  return probe.exitCode === 0 ? all : leniency.join();
}

const emptyPackHead = Buffer.from('5041434b0000000200000000', 'hex');
const emptyPack = Buffer.concat([emptyPackHead, createHash('sha1').update(emptyPackHead).digest()]);

/** What was checked before: a tree or snapshot, and the tree of files in it. */
export interface CheckedTree {
  top: string;
  root: string;
}

/**
 * Checks that all of `top` is there, and that the tree `root` in it has only files, symlinks and folders with names that stay in a
 * workspace; what `base` has too is not looked at again. Throws HelixError `snapshot.corrupt`.
 */
export async function checkTree(place: Place, top: string, root: string, base?: CheckedTree): Promise<void> {
  const [walk, changes] = await Promise.all([
    gitResult(['rev-list', '--objects', '--quiet', top, ...(base ? [`^${base.top}`] : [])], place),
    listChanges(place, base?.root ?? emptyTree, root),
  ]);
  if (walk.exitCode !== 0) throw refused(top, gitReason(walk.stderr));
  for (const { mode, path } of changes) {
    if (mode === '000000') continue;
    if (mode === '160000') throw refused(top, `${path} is a link to a commit of another repository`);
    if (!['040000', '100644', '100755', '120000'].includes(mode)) throw refused(top, `${path} has the mode ${mode}`);
    if (!isSafePath(path)) throw refused(top, `${JSON.stringify(path)} is a path no workspace may have`);
  }
}

function refused(top: string, reason: string): HelixError {
  return new HelixError('snapshot.corrupt', `object ${top} was refused: ${reason}`, { details: { snapshot: top } });
}

/** Moves objects from a quarantine to where they count. A pack's index comes last: with it the pack is in use. */
export async function adoptObjects(from: string, to: string): Promise<void> {
  const packs = await readdir(join(from, 'pack'));
  const rank = (name: string): number => (name.endsWith('.idx') ? 1 : 0);
  for (const name of packs.sort((left, right) => rank(left) - rank(right))) {
    await mkdir(join(to, 'pack'), { recursive: true });
    await moveObject(join(from, 'pack', name), join(to, 'pack', name));
  }
  for (const folder of await readdir(from)) {
    if (!/^[0-9a-f]{2}$/.test(folder)) continue;
    await mkdir(join(to, folder), { recursive: true });
    for (const name of await readdir(join(from, folder)))
      await moveObject(join(from, folder, name), join(to, folder, name));
  }
}

/** Windows replaces no file that is read-only, as objects are, or open. */
async function moveObject(from: string, to: string): Promise<void> {
  try {
    await rename(from, to);
  } catch (error) {
    if (!['EPERM', 'EACCES'].includes((error as NodeJS.ErrnoException).code ?? '') || !existsSync(to)) throw error;
    await chmod(to, 0o600);
    // Of one name is one content: what somebody reads there now will do.
    await rename(from, to).catch(() => {});
  }
}
