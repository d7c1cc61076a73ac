import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { chmod, lstat, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { promisify } from 'node:util';
import type { SnapshotId } from '../../contracts/snapshot.ts';
import { openStore } from '../../snapshots/store.ts';
import type { SnapshotStore } from '../../snapshots/store.ts';
import { exportPack, importPack } from '../../snapshots/transport.ts';
import { openWorkspace } from '../../snapshots/workspace.ts';
import { withTempDir } from '../support/temp-dir.ts';
import { difference, manifest, userGit, writeFiles } from './helpers.ts';
import type { Files } from './helpers.ts';

/** Captures a folder, sends the snapshot to a second store, restores it in a fresh folder and compares the two. */
async function roundTrip(dir: string, from: string): Promise<{ id: SnapshotId; store: SnapshotStore; copy: string }> {
  const store = await openStore(`${dir}/store`);
  const id = await (await openWorkspace(store, from, { exclude: [] })).capture();
  const other = await openStore(`${dir}/other`);
  await importPack(other, exportPack(store, [id], []), [id], []);
  await other.verify(id);
  const copy = `${dir}/copy`;
  const workspace = await openWorkspace(other, copy, { exclude: [] });
  await workspace.restore(id);
  assert.equal(await workspace.capture(), id, 'capturing what was restored gives the same snapshot');
  return { id, store, copy };
}

async function comesBack(files: Files, more?: (folder: string) => Promise<void>): Promise<void> {
  await withTempDir(async (dir) => {
    await writeFiles(`${dir}/w`, files);
    await more?.(`${dir}/w`);
    const before = await manifest(`${dir}/w`);
    const { copy } = await roundTrip(dir, `${dir}/w`);
    assert.deepEqual(difference(before, await manifest(copy)), []);
    assert.ok(before.length > 0);
  });
}

describe('a snapshot is exact', () => {
  it('keeps exec bits, symlinks of every kind and empty folders', () =>
    comesBack({
      'bin/tool': { run: '#!/bin/sh\n' },
      'plain.txt': 'text',
      empty: '',
      'link-to-file': { link: 'plain.txt' },
      'link-to-folder': { link: 'bin' },
      dangling: { link: '/nowhere/at all' },
      'deep/er/nothing': null,
      'bin/nothing': null,
    }));

  it('keeps odd names, also those that are no UTF-8', () =>
    comesBack(
      {
        'new\nline': '1',
        "quote\"s 'n' \\back": '2',
        '-rf': '3',
        'trailing  ': '4',
        ' leading': '5',
        ':(glob)*': '6',
        '*': '7',
        'tab\there': '8',
        '.git ': '9',
        'git~1/x': '10',
        'ünï/cödé €': '11',
        '!not': '12',
        '#hash/ ': null,
      },
      async (folder) => {
        await writeFile(Buffer.concat([Buffer.from(`${folder}/latin`), Buffer.from([0xe9, 0xff])]), 'bytes');
        await writeFile(
          Buffer.concat([Buffer.from(`${folder}/lone`), Buffer.from([0xed, 0xa0, 0x80])]),
          'a surrogate in UTF-8',
        );
      },
    ));

  it('keeps CRLF and every byte, whatever .gitattributes say', () =>
    comesBack({
      '.gitattributes':
        '* text=auto eol=lf\n*.txt text eol=crlf working-tree-encoding=UTF-16\n*.id ident\n*.f filter=evil diff=evil\n',
      'sub/.gitattributes': `* text\n${'x'.repeat(4000)} text\n`,
      '.gitmodules': '[submodule "../../evil"]\n\tpath = -evil\n\turl = --upload-pack=evil\n',
      'mixed.txt': 'a\r\nb\nc\r',
      'sub/crlf': 'x\r\n',
      'k.id': '$Id$ $Id: old $',
      'x.f': 'filtered?',
      binary: Buffer.from([...Array(256).keys()]),
      large: Buffer.alloc(3_000_000, 'pattern'),
    }));

  it('keeps untracked files of nested repositories as plain files and runs nothing of their configuration', () =>
    withTempDir(async (dir) => {
      const proof = `${dir}/proof`;
      await writeFiles(`${dir}/w`, {
        'top.txt': 'top',
        'nested/in/file': 'in',
        'nested/inner/deeper/f': 'f',
        'bare-dir': null,
      });
      for (const nested of ['nested', 'nested/inner', 'only-git']) {
        await writeFiles(`${dir}/w/${nested}`, { 'run.sh': { run: `#!/bin/sh\ntouch ${proof}\n` } });
        await userGit(`${dir}/w/${nested}`, 'init', '-q');
        await userGit(`${dir}/w/${nested}`, 'add', 'run.sh');
        await userGit(`${dir}/w/${nested}`, 'commit', '-q', '-m', 'nested');
        for (const key of [
          'core.fsmonitor',
          'core.hooksPath',
          'filter.evil.clean',
          'core.sshCommand',
          'diff.external',
        ]) {
          await userGit(`${dir}/w/${nested}`, 'config', key, `${dir}/w/${nested}/run.sh`);
        }
      }
      await rm(`${dir}/w/only-git/run.sh`);
      const before = await manifest(`${dir}/w`);
      const { id, store, copy } = await roundTrip(dir, `${dir}/w`);
      assert.deepEqual(difference(before, await manifest(copy)), []);
      const names = (await store.list(id)).map((file) => file.path);
      assert.deepEqual(names, [
        'nested/in/file',
        'nested/inner/deeper/f',
        'nested/inner/run.sh',
        'nested/run.sh',
        'top.txt',
      ]);
      assert.equal(await readFile(proof).catch(() => 'never ran'), 'never ran');
    }));

  it('keeps files out that git ignores, and folders that hold nothing else', () =>
    withTempDir(async (dir) => {
      await writeFiles(`${dir}/w`, {
        '.gitignore': '*.log\nbuild/\nignored-empty/\n',
        'kept.txt': 'k',
        'a.log': 'l',
        'build/out.o': 'o',
        'only/cache.log': 'c',
        'ignored-empty': null,
        'fresh/file': 'f',
        'fresh/build/empty': null,
        'fresh/deep/build/empty': null,
      });
      const { copy } = await roundTrip(dir, `${dir}/w`);
      assert.deepEqual((await manifest(copy)).map((line) => line.split(' ').at(-1)!).sort(), [
        '.gitignore',
        'fresh/file',
        'kept.txt',
      ]);
    }));

  it('is the same for the same files, however they came about', () =>
    withTempDir(async (dir) => {
      const store = await openStore(`${dir}/store`);
      const files = { 'a/b': '1', c: '2', 'empty/x': null };
      await writeFiles(`${dir}/one`, files);
      await writeFiles(`${dir}/two`, { ...files, 'old/file': 'gone soon' });
      const two = await openWorkspace(store, `${dir}/two`, { exclude: [] });
      await two.capture();
      await rm(`${dir}/two/old`, { recursive: true });
      assert.equal(await two.capture(), await (await openWorkspace(store, `${dir}/one`, { exclude: [] })).capture());
    }));

  it('says which file cannot be read', async () => {
    await withTempDir(async (dir) => {
      await writeFiles(`${dir}/w`, { 'fine.txt': 'f', 'deep/secret.txt': 's' });
      await chmod(`${dir}/w/deep/secret.txt`, 0o000);
      await chmod(dir, 0o777);
      const failure = await captureAsNobody(dir);
      assert.match(failure, /^source\.unreadable: deep\/secret\.txt in .*\/w cannot be read \(Permission denied\)/);
      await chmod(`${dir}/w/deep`, 0o000);
      assert.match(
        await captureAsNobody(dir),
        /^source\.unreadable: deep in .*\/w cannot be read \((Permission denied|EACCES)\)/,
      );
      await chmod(`${dir}/w/deep`, 0o755);
    });
  });
});

/** Captures `dir`/w in a process without root's right to read everything; returns the error as `code: message`. */
async function captureAsNobody(dir: string): Promise<string> {
  const url = (file: string): string => JSON.stringify(new URL(`../../snapshots/${file}`, import.meta.url).href);
  const script = `
    const { openStore } = await import(${url('store.ts')});
    const { openWorkspace } = await import(${url('workspace.ts')});
    const workspace = await openWorkspace(await openStore(${JSON.stringify(`${dir}/store-of-nobody`)}), ${JSON.stringify(`${dir}/w`)}, { exclude: [] });
    console.log(await workspace.capture().catch((error) => error.code + ': ' + error.message));`;
  const identity = process.getuid?.() === 0 ? { uid: 65_534, gid: 65_534 } : {};
  const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '-e', script], identity);
  return stdout;
}

describe('random trees', () => {
  for (const seed of [1, 2, 3, 4]) {
    it(`come back from any snapshot to any other (seed ${seed})`, () =>
      withTempDir(async (dir) => {
        const random = mulberry(seed);
        const store = await openStore(`${dir}/store`);
        const other = await openStore(`${dir}/other`);
        const work = await openWorkspace(store, `${dir}/w`, { exclude: [] });
        const known: { id: SnapshotId; lines: string[] }[] = [];
        for (let round = 0; round < 5; round++) {
          for (let change = 0; change < 12; change++) await changeSomething(`${dir}/w`, random);
          const lines = await manifest(`${dir}/w`);
          const id = await work.capture();
          await importPack(
            other,
            exportPack(
              store,
              [id],
              known.map((one) => one.id),
            ),
            [id],
            known.map((one) => one.id),
          );
          known.push({ id, lines });
        }
        const copy = await openWorkspace(other, `${dir}/copy`, { exclude: [] });
        for (let round = 0; round < 8; round++) {
          const { id, lines } = known[Math.floor(random() * known.length)]!;
          await changeSomething(`${dir}/copy`, random);
          await copy.restore(id);
          assert.deepEqual(difference(lines, await manifest(`${dir}/copy`)), []);
        }
      }));
  }
});

/** Puts a file, an executable, a symlink or a folder at a random path of a small set, or removes what is there. */
async function changeSomething(root: string, random: () => number): Promise<void> {
  const names = ['a', 'b', 'ä', 'c d', '-e'];
  const depth = 1 + Math.floor(random() * 3);
  const parts = Array.from({ length: depth }, () => names[Math.floor(random() * names.length)]!);
  const path = parts.join('/');
  // What stands in the way of the new path goes, so that files, folders and symlinks take each other's places.
  for (let length = 1; length < depth; length++) {
    const above = `${root}/${parts.slice(0, length).join('/')}`;
    if (!(await isFolder(above))) await rm(above, { force: true });
  }
  await rm(`${root}/${path}`, { recursive: true, force: true });
  const kind = Math.floor(random() * 6);
  const text = `${Math.floor(random() * 5)}\n`;
  if (kind <= 1) await writeFiles(root, { [path]: text });
  else if (kind === 2) await writeFiles(root, { [path]: { run: text } });
  else if (kind === 3) await writeFiles(root, { [path]: null });
  else if (kind === 4) {
    await writeFiles(root, { [path]: null });
    await rm(`${root}/${path}`, { recursive: true });
    await symlink(random() < 0.5 ? 'a' : '..', `${root}/${path}`);
  }
}

async function isFolder(path: string): Promise<boolean> {
  return (await lstat(path).catch(() => undefined))?.isDirectory() ?? true;
}

function mulberry(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}
