import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdir, readdir, rm, truncate, writeFile } from 'node:fs/promises';
import { promisify } from 'node:util';
import { openStore } from '../../snapshots/store.ts';
import type { SnapshotStore } from '../../snapshots/store.ts';
import { openWorkspace } from '../../snapshots/workspace.ts';
import { withTempDir } from '../support/temp-dir.ts';
import { userGit, writeFiles } from './helpers.ts';
import type { Files } from './helpers.ts';

async function capture(store: SnapshotStore, dir: string, files: Files): Promise<string> {
  await rm(dir, { recursive: true, force: true });
  await writeFiles(dir, files);
  return (await openWorkspace(store, dir, { exclude: [] })).capture();
}

describe('a snapshot store', () => {
  it('is made once by any number of processes at once, and completed when half made', () =>
    withTempDir(async (dir) => {
      await mkdir(`${dir}/store/objects`, { recursive: true });
      await writeFile(`${dir}/store/config`, '[core');
      const script = `
        const { openStore } = await import(${JSON.stringify(new URL('../../snapshots/store.ts', import.meta.url).href)});
        await openStore(${JSON.stringify(`${dir}/store`)});`;
      const openers = Array.from({ length: 3 }, () =>
        promisify(execFile)(process.execPath, ['--input-type=module', '-e', script]),
      );
      await Promise.all([...openers, openStore(`${dir}/store`)]);
      const store = await openStore(`${dir}/store`);
      const id = await capture(store, `${dir}/w`, { file: '1' });
      await store.verify(id);
      assert.deepEqual(
        (await readdir(`${dir}/store`)).filter((name) => name.endsWith('.tmp')),
        [],
      );
    }));

  it('answers for files without a checkout', () =>
    withTempDir(async (dir) => {
      const store = await openStore(`${dir}/store`);
      const odd = 'line\nbreak';
      const id = await capture(store, `${dir}/w`, {
        'a/run': { run: 'xyz' },
        link: { link: 'a/run' },
        'plain.txt': 'text',
        [odd]: 'odd',
        ':x': 'c',
      });
      assert.deepEqual(
        (await store.list(id)).map(({ path, mode, bytes }) => [path, mode, bytes]),
        [
          [':x', 'file', 1],
          ['a/run', 'executable', 3],
          [odd, 'file', 3],
          ['link', 'symlink', 5],
          ['plain.txt', 'file', 4],
        ],
      );
      const found = await store.readMany(id, [
        'plain.txt',
        'a/run',
        'a',
        'missing',
        '../w',
        '',
        odd,
        ':x',
        './plain.txt',
      ]);
      assert.deepEqual([...found.keys()].sort(), [':x', 'a/run', odd, 'plain.txt']);
      assert.equal((await store.read(id, odd))?.toString(), 'odd');
      assert.equal(await store.read(id, 'nothing'), undefined);
    }));

  it('says what differs, and gives a patch git applies', () =>
    withTempDir(async (dir) => {
      const store = await openStore(`${dir}/store`);
      const binary = Buffer.from([0, 1, 2, 255, 254]);
      const before = {
        same: 's',
        gone: 'g\n',
        edited: 'a\nb\n',
        kind: 'file',
        'moved/from': 'long enough to be seen as moved\n'.repeat(5),
      };
      const after = {
        same: 's',
        edited: 'a\nB\n',
        kind: { link: 'same' },
        'moved/to': before['moved/from'],
        binary,
        'odd "name"\n': 'o\n',
        tool: { run: 'x' },
      };
      const from = await capture(store, `${dir}/from`, before);
      const to = await capture(store, `${dir}/to`, after);
      assert.deepEqual(
        (await store.diff(from, to)).map(({ path, change }) => `${change} ${path}`),
        [
          'added binary',
          'modified edited',
          'deleted gone',
          'type-changed kind',
          'deleted moved/from',
          'added moved/to',
          'added odd "name"\n',
          'added tool',
        ],
      );
      await writeFile(`${dir}/patch`, await store.patch(from, to));
      await writeFiles(`${dir}/applied`, before);
      await userGit(`${dir}/applied`, 'apply', `${dir}/patch`);
      assert.equal(await (await openWorkspace(store, `${dir}/applied`, { exclude: [] })).capture(), to);
      assert.equal((await store.patch(to, to)).length, 0);
    }));

  it('tells a damaged snapshot from one that is not there', () =>
    withTempDir(async (dir) => {
      const store = await openStore(`${dir}/store`);
      const id = await capture(store, `${dir}/w`, { 'deep/file': 'content' });
      const absent = '1'.repeat(40);
      await assert.rejects(store.verify(absent), { code: 'snapshot.not-found' });
      assert.equal(await store.has(absent), false);
      assert.equal(await store.has('../../etc'), false);
      const [file] = await store.list(id);
      assert.equal(await store.has(file!.object), false, 'an object that is no snapshot');
      assert.equal(await store.has((await store.contents(id)).root), false);
      const object = `${store.dir}/objects/${file!.object.slice(0, 2)}/${file!.object.slice(2)}`;
      await rm(object);
      await assert.rejects(store.verify(id), { code: 'snapshot.corrupt' });
      assert.equal(await (await openStore(store.dir)).has(id), false);
      await writeFile(object, 'no zlib stream');
      await assert.rejects(store.verify(id), { code: 'snapshot.corrupt' });
      await truncate(object, 0);
      await assert.rejects(store.verify(id), { code: 'snapshot.corrupt' });
      await assert.rejects((await openWorkspace(store, `${dir}/other`, { exclude: [] })).restore(id), {
        code: 'snapshot.corrupt',
      });
    }));

  it('keeps what a ref names or a workspace holds when garbage is collected', () =>
    withTempDir(async (dir) => {
      const store = await openStore(`${dir}/store`);
      const kept = await capture(store, `${dir}/kept`, { file: 'kept', empty: null });
      const held = await capture(store, `${dir}/held`, { file: 'held by a workspace' });
      const dropped = await capture(store, `${dir}/kept`, { file: 'dropped' });
      await (await openWorkspace(store, `${dir}/kept`, { exclude: [] })).restore(kept);
      await store.keep('jobs/job-1/c0', kept);
      await store.keep('jobs/job-1/c0', kept);
      await userGit(store.dir, '--git-dir', store.dir, 'gc', '-q', '--prune=now');
      await store.verify(kept);
      const fresh = await openStore(store.dir);
      assert.equal(await fresh.has(dropped), false);
      assert.equal(
        await (
          await openWorkspace(fresh, `${dir}/held`, { exclude: [] })
        )
          .capture()
          .then((id) => fresh.verify(id))
          .then(() => 'whole', String),
        'whole',
        held,
      );
      await assert.rejects(store.keep('../escape', kept), { code: 'usage.invalid' });
      await assert.rejects(store.keep('x', '1'.repeat(40)), { code: 'snapshot.not-found' });
    }));
});
