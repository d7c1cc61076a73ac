import assert from 'node:assert/strict';
import { editSnapshot } from '../../snapshots/edit.ts';
import { emptyTree, wrapSnapshot } from '../../snapshots/objects.ts';
import { findFiles, listFolder, searchSnapshot, statPath } from '../../snapshots/search.ts';
import { openStore } from '../../snapshots/store.ts';
import type { SnapshotStore } from '../../snapshots/store.ts';
import { withTempDir } from '../support/temp-dir.ts';

async function withSnapshot(
  files: Record<string, string | Buffer>,
  use: (store: SnapshotStore, id: string) => Promise<void>,
): Promise<void> {
  await withTempDir(async (dir) => {
    const store = await openStore(`${dir}/store`);
    const empty = await wrapSnapshot(store.dir, { root: emptyTree, emptyFolders: ['empty/folder'] });
    const changes = Object.entries(files).map(([path, content]) => ({ path, content: Buffer.from(content) }));
    await use(store, await editSnapshot(store, empty, changes));
  });
}

describe('a search of a snapshot', () => {
  const files = {
    'src/a.ts': 'one\nconst Größe = 1;\nthree\nfour\nconst b = 2;\n',
    'src/deep/b.tsx': 'const c = 3;\n',
    'top.js': 'const d = 4;\n',
    'odd\n: name.ts': 'const e = 5;\n',
    'binary.ts': Buffer.from('const\0x'),
    'minified.js': `${'x'.repeat(200_000)}needle${'y'.repeat(200_000)}\n`,
  };

  it('finds lines by Perl expressions, with what is around them', () =>
    withSnapshot(files, async (store, id) => {
      const found = await searchSnapshot(store, id, { pattern: '^const Gr.ße', limit: 10, context: 1, path: 'src' });
      assert.deepEqual(found, {
        lines: [
          { path: 'src/a.ts', line: 1, text: 'one', isMatch: false },
          { path: 'src/a.ts', line: 2, text: 'const Größe = 1;', isMatch: true },
          { path: 'src/a.ts', line: 3, text: 'three', isMatch: false },
        ],
        matches: 1,
        isCut: false,
      });
      const folded = await searchSnapshot(store, id, { pattern: 'GRÖSSE|GRÖßE', ignoreCase: true, limit: 10 });
      assert.equal(folded.matches, 1);
      const none = await searchSnapshot(store, id, { pattern: 'nowhere', limit: 10 });
      assert.deepEqual(none, { lines: [], matches: 0, isCut: false });
    }));

  it('is narrowed by path and glob, and ends at its limit', () =>
    withSnapshot(files, async (store, id) => {
      const paths = async (filter: { path?: string; glob?: string }): Promise<string[]> =>
        (await searchSnapshot(store, id, { pattern: 'const', limit: 10, ...filter })).lines.map(({ path }) => path);
      assert.deepEqual(await paths({ glob: '*.ts' }), ['odd\n: name.ts', 'src/a.ts', 'src/a.ts']);
      assert.deepEqual(await paths({ glob: '*.{js,tsx}' }), ['src/deep/b.tsx', 'top.js']);
      assert.deepEqual(await paths({ path: './src/', glob: '**/*.tsx' }), ['src/deep/b.tsx']);
      assert.deepEqual(await paths({ path: 'src/a.ts' }), ['src/a.ts', 'src/a.ts']);
      assert.deepEqual(await paths({ path: 'src', glob: 'a.*' }), ['src/a.ts', 'src/a.ts']);
      const cut = await searchSnapshot(store, id, { pattern: 'const', limit: 2 });
      assert.deepEqual([cut.matches, cut.isCut, cut.lines.length], [2, true, 2]);
    }));

  it('shows of a long line what is around the match', () =>
    withSnapshot(files, async (store, id) => {
      const { lines } = await searchSnapshot(store, id, { pattern: 'needle', limit: 5 });
      assert.equal(lines.length, 1);
      assert.match(lines[0]!.text, /^…x+needley+…$/);
      assert.ok(lines[0]!.text.length < 600);
    }));

  it('shows nothing of files that may not be looked into, not even in its count', () =>
    withSnapshot({ a: 'key\n', b: 'key\n', c: 'key\n' }, async (store, id) => {
      const found = await searchSnapshot(store, id, { pattern: 'key', limit: 2, accepts: (path) => path !== 'a' });
      assert.deepEqual(
        found.lines.map(({ path }) => path),
        ['b', 'c'],
      );
      assert.equal(found.isCut, false);
    }));

  it('says what is wrong with a pattern', () =>
    withSnapshot(files, async (store, id) => {
      const search = (pattern: string, path?: string) => searchSnapshot(store, id, { pattern, path, limit: 5 });
      await assert.rejects(search('f(o'), {
        code: 'usage.invalid',
        message: /"f\(o" is no regular expression: missing/,
      });
      await assert.rejects(search('a\nb'), { code: 'usage.invalid', message: /line break/ });
      await assert.rejects(search('x', '../etc'), { code: 'usage.invalid' });
      assert.equal((await search('-e')).matches, 0);
    }));

  it('lists files by glob, and folders with the empty ones', () =>
    withSnapshot(files, async (store, id) => {
      assert.deepEqual(await findFiles(store, id, { glob: 'src/**' }), ['src/a.ts', 'src/deep/b.tsx']);
      assert.deepEqual(await findFiles(store, id, { path: 'src' }), ['src/a.ts', 'src/deep/b.tsx']);
      assert.deepEqual(
        (await listFolder(store, id, '.'))?.slice(0, 2).map(({ name }) => name),
        ['empty', 'src'],
      );
      assert.deepEqual(await listFolder(store, id, 'empty'), [{ name: 'folder', kind: 'folder', bytes: 0 }]);
      assert.deepEqual(await listFolder(store, id, 'src/deep'), [{ name: 'b.tsx', kind: 'file', bytes: 13 }]);
      assert.equal(await listFolder(store, id, 'top.js'), undefined);
      assert.equal((await statPath(store, id, 'src'))?.kind, 'folder');
      assert.equal(await statPath(store, id, 'src/none'), undefined);
    }));
});
