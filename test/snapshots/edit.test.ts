import assert from 'node:assert/strict';
import { chmod, mkdir, rename, rm, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { editSnapshot } from '../../snapshots/edit.ts';
import type { FileChange } from '../../snapshots/edit.ts';
import { openStore } from '../../snapshots/store.ts';
import type { SnapshotStore } from '../../snapshots/store.ts';
import { openWorkspace } from '../../snapshots/workspace.ts';
import { withTempDir } from '../support/temp-dir.ts';
import { writeFiles } from './helpers.ts';
import type { Files } from './helpers.ts';

async function capture(store: SnapshotStore, dir: string, files: Files): Promise<string> {
  await rm(dir, { recursive: true, force: true });
  await writeFiles(dir, files);
  return (await openWorkspace(store, dir, { exclude: [] })).capture();
}

function bytes(path: string, content: string, executable?: boolean): FileChange {
  return { path, content: Buffer.from(content), ...(executable === undefined ? {} : { executable }) };
}

describe('an edit of a snapshot without a checkout', () => {
  it('gives the very snapshot that the same edit of a checkout gives', () =>
    withTempDir(async (dir) => {
      const store = await openStore(`${dir}/store`);
      const files: Files = {
        'a/b/c.txt': 'c',
        'a-b': 'sorts between',
        'a.b': 'as well',
        'a/z': { run: 'run' },
        gone: 'g',
        'old/x/1': '1',
        'old/link': { link: 'x/1' },
        'old/none': null,
        'stay/none': null,
        'fill/me': null,
        'odd\nname/ü': 'odd',
      };
      const from = await capture(store, `${dir}/w`, files);
      const edited = await editSnapshot(store, from, [
        bytes('a/b/c.txt', 'C'),
        bytes('a/b/d/e/f', 'new', true),
        bytes('a/z', 'still executable'),
        { path: 'gone', content: null },
        { path: 'never/was', content: null },
        { path: 'new/place', from: 'old' },
        { path: 'old', content: null },
        bytes('fill/me/now', 'x'),
        bytes('odd\nname/ä', 'y'),
      ]);

      const at = `${dir}/w`;
      await writeFile(`${at}/a/b/c.txt`, 'C');
      await mkdir(`${at}/a/b/d/e`, { recursive: true });
      await writeFile(`${at}/a/b/d/e/f`, 'new');
      await chmod(`${at}/a/b/d/e/f`, 0o755);
      await writeFile(`${at}/a/z`, 'still executable');
      await rm(`${at}/gone`);
      await mkdir(dirname(`${at}/new/place`));
      await rename(`${at}/old`, `${at}/new/place`);
      await writeFile(`${at}/fill/me/now`, 'x');
      await writeFile(`${at}/odd\nname/ä`, 'y');
      assert.equal(await (await openWorkspace(store, at, { exclude: [] })).capture(), edited);
      await store.verify(edited);
      await store.verify(from);
    }));

  it('takes files from other snapshots, and lets empty folders go with what they were in', () =>
    withTempDir(async (dir) => {
      const store = await openStore(`${dir}/store`);
      const first = await capture(store, `${dir}/1`, { 'a/link': { link: 'x' }, 'a/none': null });
      const second = await capture(store, `${dir}/2`, { b: '1', 'c/only': '1' });
      const restored = await editSnapshot(store, second, [
        { path: 'a', from: 'a', of: first },
        { path: 'c/only', content: null },
      ]);
      assert.equal(restored, await capture(store, `${dir}/3`, { 'a/link': { link: 'x' }, 'a/none': null, b: '1' }));
      const emptied = await editSnapshot(store, restored, [
        { path: 'a', content: null },
        { path: 'b', content: null },
      ]);
      assert.deepEqual([await store.list(emptied), (await store.contents(emptied)).emptyFolders], [[], []]);
    }));

  it('refuses paths that git could not check out, and what does not go together', () =>
    withTempDir(async (dir) => {
      const store = await openStore(`${dir}/store`);
      const id = await capture(store, `${dir}/w`, { file: 'f', 'folder/x': 'x', 'none/at/all': null });
      const bad = [
        '',
        '.',
        '../x',
        '/x',
        'a//b',
        'a/../b',
        '.git/config',
        'a/.GIT/x',
        '.git ',
        'git~1/x',
        '.g\u200cit/x',
      ];
      for (const path of [...bad, 'a\0b', `${'x'.repeat(256)}/y`, '.git:x', '.git...']) {
        await assert.rejects(
          editSnapshot(store, id, [bytes(path, 'x')]),
          { code: 'usage.invalid' },
          JSON.stringify(path),
        );
      }
      const clashes: [RegExp, FileChange[]][] = [
        [/"folder" is a folder/, [bytes('folder', 'x')]],
        [/"none\/at" is a folder/, [bytes('none/at', 'x')]],
        [/"file" is no folder/, [bytes('file/below', 'x')]],
        [/given twice/, [bytes('a', 'x'), { path: 'a', content: null }]],
        [/"missing" is not there/, [{ path: 'a', from: 'missing' }]],
        [/into itself/, [{ path: 'folder/in', from: 'folder' }]],
      ];
      for (const [message, changes] of clashes) await assert.rejects(editSnapshot(store, id, changes), { message });
      const replaced = await editSnapshot(store, id, [
        { path: 'folder', content: null },
        { path: 'file', content: null },
        bytes('file/below', 'x'),
      ]);
      assert.deepEqual(
        (await store.list(replaced)).map(({ path }) => path),
        ['file/below'],
      );
    }));

  it('takes no longer in a workspace of thousands of files than in a small one', () =>
    withTempDir(async (dir) => {
      const store = await openStore(`${dir}/store`);
      const empty = await capture(store, `${dir}/w`, {});
      const ofSize = (files: number) =>
        editSnapshot(
          store,
          empty,
          Array.from({ length: files }, (_, at) => bytes(`p${at % 40}/q${at % 7}/f${at}`, `${at % 3}`)),
        );
      const sizes = [40, 4_000] as const;
      const ids = await Promise.all(sizes.map(ofSize));
      const times: [number[], number[]] = [[], []];
      // One after the other in turn: the machine is as busy for both.
      for (let round = 0; round < 15; round += 1) {
        for (const which of [0, 1] as const) {
          const start = performance.now();
          ids[which] = await editSnapshot(store, ids[which]!, [bytes('p3/q1/new/file', `round ${round}`)]);
          times[which].push(performance.now() - start);
        }
      }
      const [small, large] = times.map((all) => all.sort((left, right) => left - right)[7]!);
      assert.ok(large! < 3 * small!, `${large} ms, and ${small} ms in the small one`);
      assert.equal((await store.list(ids[1]!)).length, 4_001);
    }));
});
