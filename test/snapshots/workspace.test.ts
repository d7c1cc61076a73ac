import assert from 'node:assert/strict';
import { chmod, lstat, mkdir, readFile, readdir, rm, symlink, utimes, writeFile } from 'node:fs/promises';
import type { SnapshotId } from '../../contracts/snapshot.ts';
import { openStore } from '../../snapshots/store.ts';
import type { SnapshotStore } from '../../snapshots/store.ts';
import { openWorkspace } from '../../snapshots/workspace.ts';
import type { Workspace } from '../../snapshots/workspace.ts';
import { withTempDir } from '../support/temp-dir.ts';
import { difference, manifest, userGit, writeFiles } from './helpers.ts';
import type { Files } from './helpers.ts';

interface Bench {
  dir: string;
  store: SnapshotStore;
  /** A workspace and its folder. */
  work: Workspace;
  w: string;
  /** A snapshot of these files alone. */
  snapshot(files: Files): Promise<SnapshotId>;
  /** An output tree of these files. */
  outputs(files: Files): Promise<SnapshotId>;
}

async function withBench(use: (bench: Bench) => Promise<void>, exclude: string[] = []): Promise<void> {
  await withTempDir(async (dir) => {
    const store = await openStore(`${dir}/store`);
    const w = `${dir}/w`;
    let count = 0;
    const fresh = async (files: Files): Promise<Workspace> => {
      const folder = `${dir}/made-${count++}`;
      await writeFiles(folder, files);
      return openWorkspace(store, folder, { exclude: [] });
    };
    await use({
      dir,
      store,
      w,
      work: await openWorkspace(store, w, { exclude }),
      snapshot: async (files) => (await fresh(files)).capture(),
      outputs: async (files) => {
        const tops = [...new Set(Object.keys(files).map((path) => path.split('/')[0]!))];
        return (await (await fresh(files)).captureOutputs(tops))!;
      },
    });
  });
}

async function exists(path: string): Promise<boolean> {
  return (await lstat(path).catch(() => undefined)) !== undefined;
}

async function names(dir: string): Promise<string[]> {
  return (await manifest(dir)).map((line) => line.split(' ').at(-1)!).sort();
}

describe('restoring a workspace', () => {
  it('removes files made since, keeps what git ignores', () =>
    withBench(async ({ work, w, snapshot }) => {
      const id = await snapshot({ '.gitignore': '*.cache\ncaches/\n', 'a/one': '1', two: '2' });
      await work.restore(id);
      await writeFiles(w, {
        'a/new': 'n',
        'other/deep/new': 'n',
        'x.cache': 'c',
        'caches/y': 'y',
        two: 'changed',
        'empty/e': null,
      });
      await rm(`${w}/a/one`);
      await work.restore(id);
      assert.deepEqual(await names(w), ['.gitignore', 'a/one', 'caches/y', 'two', 'x.cache']);
      assert.equal(await readFile(`${w}/two`, 'utf8'), '2');
    }));

  it('goes by the ignore rules of the snapshot it restores', () =>
    withBench(async ({ work, w, snapshot }) => {
      const ignoring = await snapshot({ '.gitignore': '*.log\n', file: '1' });
      const open = await snapshot({ file: '1' });
      await work.restore(ignoring);
      await writeFiles(w, { 'kept.log': 'ignored here' });
      await work.restore(ignoring);
      assert.ok(await exists(`${w}/kept.log`));
      await work.restore(open);
      assert.deepEqual(await names(w), ['file'], 'what the snapshot would not ignore is gone');
      assert.equal(await work.capture(), open);
    }));

  it('keeps a tracked file that a later .gitignore covers, in warm and in fresh workspaces alike', () =>
    withBench(async ({ dir, store, work, w, snapshot }) => {
      await work.restore(await snapshot({ 'kept.log': 'tracked', file: '1' }));
      await writeFiles(w, { '.gitignore': '*.log\n', 'new.log': 'ignored' });
      const later = await work.capture();
      assert.deepEqual(
        (await store.list(later)).map((file) => file.path),
        ['.gitignore', 'file', 'kept.log'],
      );
      const fresh = await openWorkspace(store, `${dir}/fresh`, { exclude: [] });
      await fresh.restore(later);
      assert.equal(await fresh.capture(), later);
      await writeFile(`${dir}/fresh/kept.log`, 'changed');
      await writeFile(`${w}/kept.log`, 'changed');
      assert.equal(await fresh.capture(), await work.capture());
    }));

  it('swaps files, folders and symlinks for one another', () =>
    withBench(async ({ dir, work, w, snapshot }) => {
      await writeFiles(`${dir}/outside`, { 'safe.txt': 'must stay' });
      const shapes: Files[] = [
        { x: 'file', y: '1' },
        { 'x/in/side': 'folder', y: '1' },
        { x: { link: `${dir}/outside` }, y: '1' },
        { x: null, y: '1' },
        { x: { run: 'file' }, y: '1' },
      ];
      const ids = await Promise.all(shapes.map(snapshot));
      for (const from of ids) {
        for (const to of ids) {
          await work.restore(from);
          await work.restore(to);
          assert.equal(await work.capture(), to);
        }
      }
      for (const [index, id] of ids.entries()) {
        await rm(w, { recursive: true });
        await writeFiles(w, shapes[(index + 1) % shapes.length]!);
        await work.restore(id);
        assert.equal(await work.capture(), id, 'also when a command swapped them');
      }
      assert.deepEqual(await names(`${dir}/outside`), ['safe.txt']);
    }));

  it('never follows a symlink that a command put in the place of a folder', () =>
    withBench(async ({ dir, work, w, snapshot, outputs }) => {
      await writeFiles(`${dir}/outside`, { 'safe.txt': 's', 'sub/.git/config': 'not ours', 'sub/o.js': 'o', e: null });
      const id = await snapshot({ 'a/sub/file': '1', 'b/e': null });
      const laid = await outputs({ 'a/sub/o.js': 'laid' });
      const before = await manifest(`${dir}/outside`);
      await work.restore(id, { inputs: [laid] });
      for (const folder of ['a', 'b']) {
        await rm(`${w}/${folder}`, { recursive: true });
        await symlink(`${dir}/outside`, `${w}/${folder}`);
      }
      await work.restore(id);
      assert.equal(await work.capture(), id);
      assert.deepEqual(await manifest(`${dir}/outside`), before);
      assert.ok(await exists(`${dir}/outside/sub/.git/config`));
    }));

  it('lets the snapshot win over an ignored folder of the same name, and only there', () =>
    withBench(async ({ work, w, snapshot }) => {
      await work.restore(await snapshot({ cache: 'a file', file: '1' }));
      await writeFiles(w, { '.gitignore': 'cache*\n' });
      const colliding = await work.capture();
      await work.restore(await snapshot({ '.gitignore': 'cache*\n', file: '1' }));
      await writeFiles(w, { 'cache/a': 'a', 'cache-2/b': 'b' });
      await work.restore(colliding);
      assert.equal(await readFile(`${w}/cache`, 'utf8'), 'a file');
      assert.ok(await exists(`${w}/cache-2/b`), 'what nothing collides with stays');
    }));

  it('removes repositories that commands made', () =>
    withBench(async ({ work, w, snapshot }) => {
      const id = await snapshot({ 'a/file': '1', empty: null });
      await work.restore(id);
      for (const folder of ['.', 'a', 'empty', 'made']) {
        await mkdir(`${w}/${folder}`, { recursive: true });
        await userGit(`${w}/${folder}`, 'init', '-q');
      }
      await work.restore(id);
      for (const folder of ['.', 'a', 'empty', 'made']) assert.ok(!(await exists(`${w}/${folder}/.git`)), folder);
      assert.equal(await work.capture(), id);
    }));

  it('removes folders a tool made read-only', () =>
    withBench(async ({ work, w, snapshot }) => {
      const id = await snapshot({ file: '1' });
      await work.restore(id);
      await writeFiles(w, { 'modules/m/f': 'f' });
      await chmod(`${w}/modules/m`, 0o555);
      await work.restore(id);
      assert.deepEqual(await names(w), ['file']);
    }));

  it('never touches excluded paths, not even where the snapshot has files', () =>
    withBench(
      async ({ store, work, w, snapshot }) => {
        const first = await snapshot({
          'node_modules/.keep': 'tracked',
          'packages/a/node_modules/x/i.js': 'tracked',
          'packages/a/i': '1',
        });
        const second = await snapshot({ 'packages/a/i': '2', 'packages/b/node_modules': 'even a file' });
        const layer: Files = {
          'node_modules/p/i.js': 'layer',
          'packages/a/node_modules/q': 'layer',
          'packages/b/node_modules/r': 'layer',
        };
        await writeFiles(w, layer);
        const before = (await manifest(w)).filter((line) => line.includes('node_modules'));
        for (const id of [first, second, first]) {
          await work.restore(id);
          assert.deepEqual(
            (await manifest(w)).filter((line) => line.includes('node_modules')),
            before,
          );
          assert.equal(await work.capture(), id, 'and they stay in the snapshot as they were');
        }
        await writeFile(`${w}/packages/a/i`, 'changed');
        assert.deepEqual(await store.diff(first, await work.capture()), [{ path: 'packages/a/i', change: 'modified' }]);
      },
      ['node_modules', 'packages/*/node_modules'],
    ));

  it('leaves a layer alone that a single call names, after it was tracked', () =>
    withBench(async ({ work, w, snapshot }) => {
      const id = await snapshot({ 'vendor/a': '1', file: '1' });
      const without = await snapshot({ file: '2' });
      await work.restore(id);
      await rm(`${w}/vendor`, { recursive: true });
      await symlink('/nowhere', `${w}/vendor`);
      await work.restore(without, { exclude: ['vendor'] });
      assert.ok((await lstat(`${w}/vendor`)).isSymbolicLink());
      await work.restore(id);
      assert.equal(await work.capture(), id, 'without the exclusion the snapshot is whole again');
    }));

  it('leaves unchanged files alone', () =>
    withBench(async ({ work, w, snapshot }) => {
      const one = await snapshot({ same: 's', other: '1' });
      const two = await snapshot({ same: 's', other: '2' });
      await work.restore(one);
      const long = new Date(1_000_000_000_000);
      await utimes(`${w}/same`, long, long);
      await work.restore(one);
      const { mtimeNs, ino } = await lstat(`${w}/same`, { bigint: true });
      await work.restore(two);
      const after = await lstat(`${w}/same`, { bigint: true });
      assert.deepEqual([after.mtimeNs, after.ino], [mtimeNs, ino]);
    }));

  it('starts over when its own files are damaged or left by a killed process', () =>
    withBench(async ({ store, dir, w, work, snapshot }) => {
      const id = await snapshot({ 'a/b': '1', c: '2' });
      await work.restore(id);
      const [record] = await readdir(`${store.dir}/worktrees`).then((all) =>
        Promise.all(
          all.map(async (name) => ({ name, target: await readFile(`${store.dir}/worktrees/${name}/gitdir`, 'utf8') })),
        ).then((found) => found.filter((one) => one.target === `${work.dir}/.git\n`)),
      );
      const folder = `${store.dir}/worktrees/${record!.name}`;
      await writeFile(`${folder}/index`, 'garbage');
      await writeFile(`${folder}/index.lock`, '');
      await writeFiles(w, { junk: 'j' });
      const again = await openWorkspace(store, `${dir}/w`, { exclude: [] });
      await again.restore(id);
      assert.equal(await again.capture(), id);
      await writeFile(`${folder}/helix.json`, '{');
      const third = await openWorkspace(store, `${dir}/w`, { exclude: [] });
      await third.restore(id);
      assert.equal(await third.capture(), id);
    }));

  it('finishes what an interrupted restore left', () =>
    withBench(async ({ store, dir, work, w, snapshot }) => {
      const one = await snapshot({ '.gitignore': '*.gen\n', file: '1' });
      const two = await snapshot({ 'left.gen': 'tracked there', file: '2', 'more/x': 'x' });
      await work.restore(one);
      const abort = new AbortController();
      const restoring = work.restore(two, { signal: abort.signal });
      setTimeout(() => abort.abort(new Error('stop')), 8);
      await restoring.catch((error: unknown) => assert.equal((error as Error).message, 'stop'));
      const again = await openWorkspace(store, w, { exclude: [] });
      await again.restore(one);
      const fresh = await openWorkspace(store, `${dir}/fresh`, { exclude: [] });
      await fresh.restore(one);
      assert.deepEqual(difference(await manifest(`${dir}/fresh`), await manifest(w)), []);
    }));

  it('goes on to another snapshot when one could not be checked out whole', () =>
    withBench(async ({ store, dir, work, w, snapshot }) => {
      const one = await snapshot({ '.gitignore': '*.gen\n', file: '1' });
      const two = await snapshot({ '.gitignore': '', 'left.gen': 'tracked there', file: '2', 'more/x': 'lost' });
      const lost = (await store.list(two)).find(({ path }) => path === 'more/x')!.object;
      await rm(`${store.dir}/objects/${lost.slice(0, 2)}/${lost.slice(2)}`);
      await work.restore(one);
      await writeFiles(w, { 'cache.gen': 'ignored', 'layer/dep': 'installed' });
      const open = (): Promise<Workspace> => openWorkspace(store, w, { exclude: ['layer'] });
      await assert.rejects((await open()).restore(two), { code: 'snapshot.corrupt' });
      await (await open()).restore(one);
      const fresh = await openWorkspace(store, `${dir}/fresh`, { exclude: ['layer'] });
      await fresh.restore(one);
      await writeFiles(`${dir}/fresh`, { 'layer/dep': 'installed' });
      assert.deepEqual(difference(await manifest(`${dir}/fresh`), await manifest(w)), []);
    }));

  it('says that a snapshot is not there', () =>
    withBench(async ({ work }) => {
      await assert.rejects(work.restore('1'.repeat(40)), { code: 'snapshot.not-found' });
      await assert.rejects(work.restore('nonsense'), { code: 'snapshot.not-found' });
    }));
});

describe('outputs', () => {
  it('are captured whether git ignores them or not, and come as a tree of their own', () =>
    withBench(async ({ store, work, w, snapshot }) => {
      const id = await snapshot({ '.gitignore': 'dist/\n', 'src/a': '1' });
      await work.restore(id);
      await writeFiles(w, { 'dist/a.js': 'a', 'dist/sub/b.js': 'b', 'dist/none': null, 'lib/c.js': 'c', stray: 's' });
      const outputs = await work.captureOutputs(['dist', 'lib/', './missing']);
      assert.deepEqual(
        (await store.list(outputs!)).map((file) => file.path),
        ['dist/a.js', 'dist/sub/b.js', 'lib/c.js'],
      );
      assert.deepEqual((await store.contents(outputs!)).emptyFolders, ['dist/none']);
      assert.deepEqual(await store.diff(id, await work.capture()), [{ path: 'stray', change: 'added' }]);
      assert.equal(await work.captureOutputs(['nothing', 'here']), undefined);
      assert.equal(await work.captureOutputs(['dist', 'lib', 'missing']), outputs, 'the same from a warm index');
    }));

  it('that leave the workspace are refused', () =>
    withBench(async ({ dir, work, w, snapshot }) => {
      await work.restore(await snapshot({ file: '1' }));
      await writeFiles(dir, { 'outside/secret': 's' });
      await symlink(`${dir}/outside`, `${w}/link`);
      for (const path of ['../outside', '/etc', 'a/../../outside', '', '.', '.git/hooks', 'link/secret', 'a\0b']) {
        await assert.rejects(work.captureOutputs([path]), { code: 'usage.invalid' }, JSON.stringify(path));
      }
    }));

  it('laid over a snapshot never get into the next one, also where git does not ignore them', () =>
    withBench(async ({ store, work, w, snapshot, outputs }) => {
      const id = await snapshot({ 'src/a': '1', 'src/covered': 'source', 'gen/own': 'source' });
      const first = await outputs({ 'dist/a.js': 'first', 'src/covered': 'generated', 'src/extra': 'e' });
      const second = await outputs({ 'dist/a.js': 'second', 'dist/deep/b.js': 'b', 'dist/hollow': null });
      await work.restore(id, { inputs: [first, second] });
      assert.equal(await readFile(`${w}/dist/a.js`, 'utf8'), 'second', 'the later wins');
      assert.equal(await readFile(`${w}/src/covered`, 'utf8'), 'generated');
      assert.ok(await exists(`${w}/dist/hollow`));
      assert.equal(await work.capture(), id);
      await writeFiles(w, { 'dist/made-by-step': 'm', 'src/mine': 'm', 'src/covered': 'edited by the step' });
      assert.deepEqual(await store.diff(id, await work.capture()), [
        { path: 'src/covered', change: 'modified' },
        { path: 'src/mine', change: 'added' },
      ]);
    }));

  it('of earlier steps are gone unless they are inputs', () =>
    withBench(async ({ work, w, snapshot, outputs }) => {
      const id = await snapshot({ '.gitignore': 'dist/\ncache/\n', 'src/a': '1' });
      const laid = await outputs({ 'dist/a.js': 'a' });
      await work.restore(id, { inputs: [laid] });
      await writeFiles(w, { 'dist/extra.js': 'not in the input', 'cache/c': 'stays' });
      await work.restore(id, { inputs: [laid] });
      assert.deepEqual(await names(w), ['.gitignore', 'cache/c', 'dist/a.js', 'src/a']);
      await writeFiles(w, { 'dist/b.js': 'b' });
      await work.captureOutputs(['dist']);
      await work.restore(id);
      assert.deepEqual(await names(w), ['.gitignore', 'cache/c', 'src/a']);
    }));

  it('that a repository commits are part of its snapshots', () =>
    withBench(async ({ store, work, w, snapshot }) => {
      const id = await snapshot({ 'dist/committed.js': '1', 'src/a': '1' });
      await work.restore(id);
      await writeFiles(w, { 'dist/committed.js': '2', 'dist/new.js': 'n' });
      const outputs = await work.captureOutputs(['dist']);
      const next = await work.capture();
      assert.deepEqual(await store.diff(id, next), [{ path: 'dist/committed.js', change: 'modified' }]);
      await work.restore(next, { inputs: [outputs!] });
      assert.deepEqual(await names(w), ['dist/committed.js', 'dist/new.js', 'src/a']);
      await work.restore(id);
      assert.equal(await work.capture(), id);
    }));

  it('are younger than the sources', () =>
    withBench(async ({ work, w, snapshot, outputs }) => {
      const laid = await outputs({ 'dist/a.js': 'a' });
      await work.restore(await snapshot({ 'src/a': '1' }), { inputs: [laid] });
      await new Promise((resolve) => setTimeout(resolve, 20));
      await work.restore(await snapshot({ 'src/a': '2' }), { inputs: [laid] });
      const [source, output] = await Promise.all(
        ['src/a', 'dist/a.js'].map((path) => lstat(`${w}/${path}`, { bigint: true })),
      );
      assert.ok(output!.mtimeNs >= source!.mtimeNs);
    }));

  it('do not touch a layer, and leave it out', () =>
    withBench(
      async ({ store, work, w, snapshot, outputs }) => {
        const id = await snapshot({ 'src/a': '1' });
        const laid = await outputs({ 'dist/node_modules/x': 'not the layer', 'dist/a.js': 'a' });
        await writeFiles(w, { 'dist/node_modules/y': 'layer' });
        await work.restore(id, { inputs: [laid] });
        assert.deepEqual(await names(w), ['dist/a.js', 'dist/node_modules/y', 'src/a']);
        const outputsNow = await work.captureOutputs(['dist']);
        assert.deepEqual(
          (await store.list(outputsNow!)).map((file) => file.path),
          ['dist/a.js'],
        );
        await work.restore(id);
        assert.deepEqual(await names(w), ['dist/node_modules/y', 'src/a']);
      },
      ['**/node_modules'],
    ));
});

describe('workspaces', () => {
  it('are captured in parallel from one store', () =>
    withBench(async ({ dir, store, snapshot }) => {
      const base = await snapshot(
        Object.fromEntries(Array.from({ length: 40 }, (_, index) => [`f${index % 5}/${index}`, `${index}`])),
      );
      const results = await Promise.all(
        Array.from({ length: 6 }, async (_, worker) => {
          const folder = `${dir}/slot-${worker}`;
          const work = await openWorkspace(await openStore(store.dir), folder, { exclude: [] });
          const ids: SnapshotId[] = [];
          for (let round = 0; round < 4; round++) {
            await work.restore(base);
            await writeFiles(folder, { [`made/${round}`]: `round ${round}`, 'f1/1': `changed ${round}` });
            ids.push(await work.capture());
          }
          return ids;
        }),
      );
      for (const ids of results) assert.deepEqual(ids, results[0]);
      for (const id of results[0]!) await store.verify(id);
      assert.equal(new Set(results[0]).size, 4);
    }));
});
