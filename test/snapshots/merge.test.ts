import assert from 'node:assert/strict';
import { editSnapshot } from '../../snapshots/edit.ts';
import type { FileChange } from '../../snapshots/edit.ts';
import { mergeSnapshots } from '../../snapshots/merge.ts';
import { emptyTree, wrapSnapshot } from '../../snapshots/objects.ts';
import { openStore } from '../../snapshots/store.ts';
import type { SnapshotStore } from '../../snapshots/store.ts';
import { withTempDir } from '../support/temp-dir.ts';

const text = (path: string, content: string): FileChange => ({ path, content: Buffer.from(content) });

async function withBase(use: (store: SnapshotStore, base: string) => Promise<void>): Promise<void> {
  await withTempDir(async (dir) => {
    const store = await openStore(`${dir}/store`);
    const empty = await wrapSnapshot(store.dir, { root: emptyTree, emptyFolders: ['none', 'kept'] });
    const lines = Array.from({ length: 20 }, (_, at) => `line ${at}`).join('\n');
    await use(store, await editSnapshot(store, empty, [text('a', `${lines}\n`), text('b', 'b\n'), text('c', 'c\n')]));
  });
}

describe('a merge of snapshots', () => {
  it('brings together what two sides did, through renames too', () =>
    withBase(async (store, base) => {
      const content = (await store.read(base, 'a'))!.toString();
      const ours = await editSnapshot(store, base, [
        text('a', content.replace('line 1\n', 'ours\n')),
        text('new', 'n'),
      ]);
      const theirs = await editSnapshot(store, base, [
        text('moved/a', content.replace('line 18\n', 'theirs\n')),
        { path: 'a', content: null },
        { path: 'c', content: null },
        text('none/x', 'x'),
      ]);
      const { snapshot, conflicts } = await mergeSnapshots(store, { base, ours, theirs });
      assert.deepEqual(conflicts, []);
      assert.deepEqual(
        (await store.list(snapshot)).map(({ path }) => path),
        ['b', 'moved/a', 'new', 'none/x'],
      );
      const merged = (await store.read(snapshot, 'moved/a'))!.toString();
      assert.match(merged, /ours\n(.*\n)*theirs\n/);
      assert.deepEqual((await store.contents(snapshot)).emptyFolders, ['kept']);
      await store.verify(snapshot);
      assert.deepEqual(await mergeSnapshots(store, { base, ours, theirs }), { snapshot, conflicts });
    }));

  it('names the files where both sides did something else, with both between markers', () =>
    withBase(async (store, base) => {
      const ours = await editSnapshot(store, base, [text('b', 'ours\n'), { path: 'c', content: null }]);
      const theirs = await editSnapshot(store, base, [text('b', 'theirs\n'), text('c', 'changed\n'), text('d', 'd\n')]);
      const { snapshot, conflicts } = await mergeSnapshots(store, { base, ours, theirs });
      assert.deepEqual(conflicts, ['b', 'c']);
      const marked = (await store.read(snapshot, 'b'))!.toString();
      assert.equal(marked, '<<<<<<< ours\nours\n=======\ntheirs\n>>>>>>> theirs\n');
      assert.equal((await store.read(snapshot, 'd'))!.toString(), 'd\n');
    }));

  it('is the other side where one did nothing', () =>
    withBase(async (store, base) => {
      const other = await editSnapshot(store, base, [text('b', 'x')]);
      assert.deepEqual(await mergeSnapshots(store, { base, ours: base, theirs: other }), {
        snapshot: other,
        conflicts: [],
      });
      assert.deepEqual(await mergeSnapshots(store, { base, ours: other, theirs: base }), {
        snapshot: other,
        conflicts: [],
      });
    }));
});
