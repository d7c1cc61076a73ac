import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import type { Readable } from 'node:stream';
import { HelixError } from '../contracts/error.ts';
import type { SnapshotId } from '../contracts/snapshot.ts';
import { GitError, gitReason, gitResult } from './git.ts';
import { type SnapshotContents, unwrapSnapshot } from './objects.ts';
import { adoptObjects, type CheckedTree, checkTree, receivePack, withQuarantine } from './receive.ts';
import type { SnapshotStore } from './store.ts';

/**
 * The objects that snapshots `ids` need beyond those of `known`, as a pack for `importPack`. What of `known` this store does not have
 * is left out of account. The stream fails with HelixError `snapshot.not-found` or `snapshot.corrupt`.
 */
export function exportPack(
  store: SnapshotStore,
  ids: SnapshotId[],
  known: SnapshotId[],
  signal?: AbortSignal,
): Readable {
  const stream = new PassThrough();
  writePack(store, ids, known, stream, signal).catch((error: unknown) => stream.destroy(error as Error));
  return stream;
}

async function writePack(
  store: SnapshotStore,
  ids: SnapshotId[],
  known: SnapshotId[],
  stream: PassThrough,
  signal?: AbortSignal,
): Promise<void> {
  for (const id of ids) await store.contents(id);
  const revisions = [...ids, ...(await presentOf(store, known)).map((id) => `^${id}`)];
  const args = ['pack-objects', '--revs', '--thin', '--stdout', '-q', '--delta-base-offset'];
  const input = revisions.map((line) => `${line}\n`).join('');
  const { exitCode, stderr } = await gitResult(args, { gitDir: store.dir, input, output: stream, signal });
  if (exitCode !== 0) {
    throw new HelixError(
      'snapshot.corrupt',
      `snapshot ${ids.join(', ')} in ${store.dir} cannot be sent: ${gitReason(stderr)}; import it again`,
    );
  }
}

/**
 * Takes a pack in. Everything is checked apart first (each object's hash and form, that nothing is missing, that no path could
 * leave a workspace, that no entry is a link to a commit), and only then becomes part of the store.
 * Throws HelixError `snapshot.corrupt`; nothing of the pack is usable then.
 */
export async function importPack(
  store: SnapshotStore,
  stream: Readable,
  ids: SnapshotId[],
  known: SnapshotId[],
  options: { signal?: AbortSignal } = {},
): Promise<void> {
  // It may fail before it is read; reading gives the error then.
  stream.on('error', () => undefined);
  const received = new Map<SnapshotId, SnapshotContents>();
  await withQuarantine(store.dir, async (objectDir) => {
    const place = { gitDir: store.dir, objectDir, alternates: [join(store.dir, 'objects')], signal: options.signal };
    try {
      await receivePack(place, stream);
      const base = await wholeOneOf(store, known);
      for (const id of ids) {
        const contents = await unwrapSnapshot(place, id);
        await checkTree(place, id, contents.root, base);
        received.set(id, contents);
      }
    } catch (error) {
      const lacking = await lackingOf(store, known);
      if (lacking.length > 0) {
        throw new HelixError(
          'snapshot.not-found',
          `the pack builds on snapshot ${lacking.join(', ')}, which the store ${store.dir} lacks: send it whole`,
          { cause: error },
        );
      }
      if (!(error instanceof GitError)) throw error;
      throw new HelixError(
        'snapshot.corrupt',
        `the pack for snapshot ${ids.join(', ')} was refused (${error.message}): send it again`,
        {
          cause: error,
        },
      );
    }
    await adoptObjects(objectDir, join(store.dir, 'objects'));
  });
  for (const [id, contents] of received) store.noteWhole(id, contents);
}

/** What need not be looked at again: one of the snapshots that the store has with all that belongs to them. */
async function wholeOneOf(store: SnapshotStore, ids: SnapshotId[]): Promise<CheckedTree | undefined> {
  const top = ids.find((id) => store.isKnownWhole(id)) ?? ids[0];
  if (top === undefined || !(await store.has(top))) return undefined;
  return { top, root: (await store.contents(top)).root };
}

/** Those that the store has, as far as that is needed to leave them out of a pack: not all that belongs to them has to be there. */
export async function presentOf(store: SnapshotStore, ids: SnapshotId[]): Promise<SnapshotId[]> {
  const contents = await Promise.all(ids.map((id) => store.contents(id).catch(() => undefined)));
  return ids.filter((_, index) => contents[index]);
}

/** Those that the store has not, or not whole. */
export async function lackingOf(store: SnapshotStore, ids: SnapshotId[]): Promise<SnapshotId[]> {
  const present = await Promise.all(ids.map((id) => store.has(id)));
  return ids.filter((_, index) => !present[index]);
}
