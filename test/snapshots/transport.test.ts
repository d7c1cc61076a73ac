import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readdir } from 'node:fs/promises';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import type { SnapshotId } from '../../contracts/snapshot.ts';
import { openStore } from '../../snapshots/store.ts';
import type { SnapshotStore } from '../../snapshots/store.ts';
import { exportPack, importPack } from '../../snapshots/transport.ts';
import { openWorkspace } from '../../snapshots/workspace.ts';
import { withTempDir } from '../support/temp-dir.ts';
import { writeFiles } from './helpers.ts';

interface Pair {
  dir: string;
  from: SnapshotStore;
  to: SnapshotStore;
  first: SnapshotId;
  second: SnapshotId;
}

async function withPair(files: number, use: (pair: Pair) => Promise<void>): Promise<void> {
  await withTempDir(async (dir) => {
    const [from, to] = await Promise.all([openStore(`${dir}/from`), openStore(`${dir}/to`)]);
    await writeFiles(
      `${dir}/w`,
      Object.fromEntries(
        Array.from({ length: files }, (_, index) => [`d${index % 9}/${index}`, `content ${index}\n`.repeat(20)]),
      ),
    );
    const work = await openWorkspace(from, `${dir}/w`, { exclude: [] });
    const first = await work.capture();
    await writeFiles(`${dir}/w`, { 'd0/0': 'changed' });
    await use({ dir, from, to, first, second: await work.capture() });
  });
}

async function leftovers(store: SnapshotStore): Promise<string[]> {
  return (await readdir(`${store.dir}/objects`)).filter((name) => name.startsWith('tmp_'));
}

function hash(store: SnapshotStore, type: string, body: string | Buffer): string {
  const args = ['--git-dir', store.dir, 'hash-object', '-w', '-t', type, '--literally', '--stdin'];
  return execFileSync('git', args, { input: body }).toString().trim();
}

function tree(store: SnapshotStore, ...entries: [mode: string, name: string, object: string][]): string {
  const parts = entries.flatMap(([mode, name, object]) => [
    Buffer.from(`${mode} ${name}\0`),
    Buffer.from(object, 'hex'),
  ]);
  return hash(store, 'tree', Buffer.concat(parts));
}

describe('sending snapshots', () => {
  it('sends only what is missing', () =>
    withPair(300, async ({ from, to, first, second }) => {
      const whole = await buffer(exportPack(from, [first], []));
      await importPack(to, Readable.from([whole]), [first], []);
      const delta = await buffer(exportPack(from, [second], [first]));
      assert.ok(delta.length < 2_000 && whole.length > 10 * delta.length, `${whole.length} and ${delta.length} bytes`);
      await importPack(to, Readable.from([delta]), [second], [first]);
      await to.verify(second);
      const nothing = await buffer(exportPack(from, [second], [second, '1'.repeat(40)]));
      await importPack(to, Readable.from([nothing]), [second], [second]);
      assert.deepEqual(await leftovers(to), []);
    }));

  it('leaves nothing usable of a pack that is cut short, damaged or no pack', () =>
    withPair(300, async ({ from, to, first, second }) => {
      const whole = await buffer(exportPack(from, [first], []));
      const flipped = Buffer.from(whole);
      flipped[Math.floor(whole.length / 2)]! ^= 0xff;
      for (const bytes of [
        whole.subarray(0, whole.length - 30),
        whole.subarray(0, 5),
        flipped,
        Buffer.from('<html>not a pack</html>'),
        Buffer.alloc(0),
      ]) {
        await assert.rejects(importPack(to, Readable.from([bytes]), [first], []), { code: 'snapshot.corrupt' });
        assert.equal(await to.has(first), false);
      }
      const delta = await buffer(exportPack(from, [second], [first]));
      await assert.rejects(importPack(to, Readable.from([delta]), [second], [first]), { code: 'snapshot.not-found' });
      await assert.rejects(importPack(to, Readable.from([delta]), [second], []), { code: 'snapshot.corrupt' });
      const broken = new Readable({ read() {} });
      setTimeout(() => broken.destroy(new Error('the connection was lost')), 20);
      broken.push(whole.subarray(0, 1000));
      await assert.rejects(importPack(to, broken, [first], []), /the connection was lost/);
      const loose = (await readdir(`${to.dir}/objects`)).filter((name) => name.length === 2);
      assert.deepEqual([loose, await readdir(`${to.dir}/objects/pack`), await leftovers(to)], [[], [], []]);
      await importPack(to, Readable.from([whole]), [first], []);
      await to.verify(first);
    }));

  it('refuses trees no workspace may have', () =>
    withTempDir(async (dir) => {
      const from = await openStore(`${dir}/from`);
      const to = await openStore(`${dir}/to`);
      const blob = hash(from, 'blob', 'x');
      const good = tree(from, ['40000', 'root', tree(from, ['100644', 'a', blob])]);
      await importPack(to, exportPack(from, [good], []), [good], []);
      const roots = {
        'a link to a commit': tree(from, ['160000', 'sub', '1'.repeat(40)]),
        'a .git folder': tree(from, ['40000', '.git', tree(from, ['100755', 'hooks', blob])]),
        'another spelling': tree(from, ['40000', '.GIT', tree(from, ['100644', 'config', blob])]),
        'a way up': tree(from, ['40000', '..', tree(from, ['100644', 'x', blob])]),
        'a slash': tree(from, ['100644', 'a/b', blob]),
        'a name twice': tree(from, ['120000', 'a', blob], ['40000', 'a', tree(from, ['100644', 'x', blob])]),
        'a device': tree(from, ['20666', 'null', blob]),
      };
      for (const [what, root] of Object.entries(roots)) {
        const id = tree(from, ['40000', 'root', root]);
        const listed = execFileSync('git', ['--git-dir', from.dir, 'rev-list', '--objects', '--all', id]).toString();
        const pack = execFileSync('git', ['--git-dir', from.dir, 'pack-objects', '--stdout', '-q'], {
          input: listed
            .split('\n')
            .map((line) => line.slice(0, 40))
            .join('\n'),
        });
        for (const known of [[], [good]]) {
          await assert.rejects(importPack(to, Readable.from([pack]), [id], known), { code: 'snapshot.corrupt' }, what);
          assert.equal(await to.has(id), false);
        }
      }
      const link = tree(from, ['40000', 'root', roots['a link to a commit']]);
      const linking = execFileSync('git', ['--git-dir', from.dir, 'pack-objects', '--stdout', '-q'], {
        input: `${link}\n${roots['a link to a commit']}\n`,
      });
      await assert.rejects(
        importPack(to, Readable.from([linking]), [link], []),
        /sub is a link to a commit of another repository/,
      );
      const meta = hash(from, 'blob', JSON.stringify({ emptyFolders: ['../../outside'] }));
      const id = tree(from, ['100644', 'meta', meta], ['40000', 'root', tree(from, ['100644', 'x', blob])]);
      await assert.rejects(importPack(to, exportPack(from, [], []), [id], []), { code: 'snapshot.not-found' });
      const listed = execFileSync('git', ['--git-dir', from.dir, 'rev-list', '--objects', id]).toString();
      const pack = execFileSync('git', ['--git-dir', from.dir, 'pack-objects', '--stdout', '-q'], {
        input: listed.replaceAll(/ .*/g, ''),
      });
      await assert.rejects(
        importPack(to, Readable.from([pack]), [id], []),
        { code: 'snapshot.corrupt' },
        'empty folders outside',
      );
    }));

  it('fails the stream when the snapshot is not there', () =>
    withPair(3, async ({ from }) => {
      await assert.rejects(buffer(exportPack(from, ['2'.repeat(40)], [])), { code: 'snapshot.not-found' });
    }));
});
