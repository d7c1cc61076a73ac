import assert from 'node:assert/strict';
import { leftMarkers } from '../../snapshots/conflict-markers.ts';
import { editSnapshot } from '../../snapshots/edit.ts';
import { mergeSnapshots } from '../../snapshots/merge.ts';
import { emptyTree, wrapSnapshot } from '../../snapshots/objects.ts';
import { openStore } from '../../snapshots/store.ts';
import { withTempDir } from '../support/temp-dir.ts';

describe('markers of a conflict', () => {
  it('are found by their lines until none is left, whatever looked like one before', () =>
    withTempDir(async (dir) => {
      const store = await openStore(`${dir}/store`);
      const empty = await wrapSnapshot(store.dir, { root: emptyTree, emptyFolders: [] });
      const write = (from: string, files: Record<string, string>): Promise<string> =>
        editSnapshot(
          store,
          from,
          Object.entries(files).map(([path, content]) => ({ path, content: Buffer.from(content) })),
        );
      const heading = 'A title\n=======\n';
      const base = await write(empty, { 'a.txt': 'one\r\n', 'b.md': `${heading}one\n` });
      const ours = await write(base, { 'a.txt': 'two\r\n', 'b.md': `${heading}two\n` });
      const theirs = await write(base, { 'a.txt': 'three\r\n', 'b.md': `${heading}three\n\nOther\n=======\n` });
      const { snapshot, conflicts } = await mergeSnapshots(store, { base, ours, theirs });
      assert.deepEqual(conflicts, ['a.txt', 'b.md']);
      const left = (now: string): Promise<string[]> =>
        leftMarkers(store, { snapshot: now, ours, theirs, paths: conflicts });
      assert.deepEqual(await left(snapshot), ['a.txt:1', 'a.txt:3', 'a.txt:5', 'b.md:3', 'b.md:10']);
      const half = await write(snapshot, { 'a.txt': 'two three\r\n>>>>>>> theirs\r\n' });
      assert.deepEqual(await left(half), ['a.txt:2', 'b.md:3', 'b.md:10']);
      const settled = await write(half, {
        'a.txt': 'two three\r\n',
        'b.md': `${heading}two three\n\nOther\n=======\n`,
      });
      assert.deepEqual(await left(settled), []);
      const removed = await editSnapshot(store, settled, [{ path: 'a.txt', content: null }]);
      assert.deepEqual(await left(removed), []);
    }));
});
