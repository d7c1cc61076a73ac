import assert from 'node:assert/strict';
import { readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createBlobStore } from '../../blobs/blob-store.ts';
import { createStepLogs } from '../../blobs/step-logs.ts';
import { withTempDir } from '../support/temp-dir.ts';

describe('the blob store', () => {
  it('returns what was put, under the SHA-256 of the content, once for the same content', async () => {
    await withTempDir(async (dir) => {
      const blobs = createBlobStore(dir);
      const hash = await blobs.put('hello');
      assert.equal(hash, '2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824');
      assert.equal(await blobs.put(Buffer.from('hello')), hash);
      assert.equal((await blobs.get(hash))?.toString(), 'hello');
      assert.deepEqual(await readdir(join(dir, hash.slice(0, 2))), [hash.slice(2)]);
    });
  });

  it('adopts a file without reading it into memory, and has nothing for a hash it does not know', async () => {
    await withTempDir(async (dir) => {
      const blobs = createBlobStore(join(dir, 'blobs'));
      await writeFile(join(dir, 'log'), 'hello');
      assert.equal(await blobs.adopt(join(dir, 'log')), await blobs.put('hello'));
      assert.equal(await blobs.get('0'.repeat(64)), undefined);
    });
  });

  it('refuses what is no hash, so that no path outside can be named', async () => {
    await withTempDir(async (dir) => {
      await assert.rejects(createBlobStore(dir).get('../../etc/passwd'), /is no blob hash/);
    });
  });
});

describe('step logs', () => {
  it('stay exact when parts are written twice or by a second writer', async () => {
    await withTempDir(async (dir) => {
      const logs = createStepLogs(dir);
      const first = logs.openWriter('e-1');
      await first.write(Buffer.from('one\ntwo\n'), 0);
      const second = logs.openWriter('e-1');
      await second.write(Buffer.from('two\nthree\n'), 4);
      await first.write(Buffer.from('one\n'), 0);
      await Promise.all([first.close(), second.close()]);
      assert.equal(await logs.size('e-1'), 14);
      assert.equal((await logs.read('e-1', 0, 100)).toString(), 'one\ntwo\nthree\n');
      assert.equal((await logs.read('e-1', 4, 3)).toString(), 'two');
      assert.equal((await logs.read('e-1', 50, 3)).length, 0);
    });
  });

  it('are empty for an execution that printed nothing', async () => {
    await withTempDir(async (dir) => {
      const logs = createStepLogs(dir);
      assert.equal(await logs.size('e-2'), 0);
      assert.equal((await logs.read('e-2', 0, 10)).length, 0);
      assert.throws(() => logs.openWriter('../e'), /is no execution id/);
    });
  });
});
