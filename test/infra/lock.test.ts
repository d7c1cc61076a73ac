import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { fileURLToPath } from 'node:url';
import { identify, isAlive, tryLock, withLock } from '../../infra/bootstrap/lock.mjs';
import { withTempDir } from '../support/temp-dir.ts';

const run = promisify(execFile);
const lockModule = fileURLToPath(new URL('../../infra/bootstrap/lock.mjs', import.meta.url));

describe('a lock', () => {
  it('is held by one at a time, and given back', async () => {
    await withTempDir(async (dir) => {
      const path = join(dir, 'lock');
      const release = tryLock(path)!;
      assert.equal(tryLock(path), null);
      release();
      tryLock(path)!();
      assert.deepEqual(await readdir(dir), []);
    });
  });

  it('left by a dead process is taken over by exactly one of many', async () => {
    await withTempDir(async (dir) => {
      const path = join(dir, 'lock');
      const counter = join(dir, 'counter');
      // Each contender adds one to the counter without any protection but the lock; the first dies with the lock in its hands.
      const script = `
        import { readFileSync, writeFileSync } from 'node:fs';
        import { tryLock, withLock } from ${JSON.stringify(lockModule)};
        if (process.argv[1] === 'die') { tryLock(${JSON.stringify(path)}); process.kill(process.pid, 'SIGKILL'); }
        for (let turn = 0; turn < 20; turn++) await withLock(${JSON.stringify(path)}, async () => {
          const count = Number(readFileSync(${JSON.stringify(counter)}, 'utf8'));
          await new Promise((resolve) => setTimeout(resolve, 1));
          writeFileSync(${JSON.stringify(counter)}, String(count + 1));
        });`;
      await writeFile(counter, '0');
      const contend = (how: string) => run(process.execPath, ['--input-type=module', '-e', script, how]);
      await assert.rejects(contend('die'));
      await Promise.all(['a', 'b', 'c', 'd'].map(contend));
      const { stdout } = await run('cat', [counter]);
      assert.equal(stdout, '80');
    });
  });

  it('left by a process whose pid has another owner is taken over', async () => {
    await withTempDir(async (dir) => {
      const path = join(dir, 'lock');
      await writeFile(path, JSON.stringify({ pid: process.pid, start: 'long ago', id: 'x' }));
      assert.equal(await withLock(path, () => Promise.resolve('mine')), 'mine');
    });
  });
});

describe('a process identity', () => {
  it('is alive while the process is, and never another process', () => {
    assert.ok(isAlive(identify(process.pid)));
    assert.ok(!isAlive({ ...identify(process.pid), start: 'another' }));
    assert.ok(!isAlive(identify(2 ** 22 + 1)));
  });
});
