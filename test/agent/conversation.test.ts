import assert from 'node:assert/strict';
import { ancestors, append, load, truncate } from '../../agent/conversation.ts';
import { EntryCache } from '../../agent/entry-cache.ts';
import { createBlobStore } from '../../blobs/blob-store.ts';
import type { BlobStore } from '../../blobs/blob-store.ts';
import type { ConversationEntry } from '../../contracts/agent.ts';
import { withTempDir } from '../support/temp-dir.ts';
import { at } from './helpers.ts';

const snapshot = '0'.repeat(40);

function entry(parent: string | null, text: string): ConversationEntry {
  return { parent, message: { role: 'user', content: [{ type: 'text', text }] }, snapshot, at };
}

async function chain(blobs: BlobStore, texts: string[]): Promise<string[]> {
  const heads: string[] = [];
  for (const text of texts) heads.push(await append(blobs, entry(heads.at(-1) ?? null, text)));
  return heads;
}

describe('a conversation', () => {
  it('is loaded in its order, by whoever has the blobs, and has the same hashes when made again', () =>
    withTempDir(async (dir) => {
      const heads = await chain(createBlobStore(dir), ['one', 'two', 'three']);
      const elsewhere = createBlobStore(dir);
      assert.deepEqual(await load(elsewhere, heads[2]!), [
        entry(null, 'one'),
        entry(heads[0]!, 'two'),
        entry(heads[1]!, 'three'),
      ]);
      assert.deepEqual(await chain(elsewhere, ['one', 'two', 'three']), heads);
      assert.deepEqual(
        (await ancestors(elsewhere, heads[2]!)).map(({ hash }) => hash),
        heads,
      );
    }));

  it('is cut at one of its messages and goes on there as another, the first unharmed', () =>
    withTempDir(async (dir) => {
      const blobs = createBlobStore(dir);
      const heads = await chain(blobs, ['one', 'two', 'three']);
      const { hash, entry: cut } = await truncate(blobs, heads[2]!, heads[0]!);
      assert.deepEqual([hash, cut.snapshot], [heads[0], snapshot]);
      const fork = await append(blobs, entry(hash, 'other'));
      assert.equal((await load(blobs, fork)).length, 2);
      assert.equal((await load(blobs, heads[2]!)).length, 3);
      await assert.rejects(truncate(blobs, heads[2]!, fork), { code: 'checkpoint.not-found' });
      await assert.rejects(load(blobs, 'f'.repeat(64)), { code: 'artifact.not-found' });
    }));

  it('of 2,000 messages is read from the disk once', () =>
    withTempDir(async (dir) => {
      const heads = await chain(
        createBlobStore(dir),
        Array.from({ length: 2_000 }, (_, index) => `message ${index}`),
      );
      const disk = createBlobStore(dir);
      let reads = 0;
      const counted: BlobStore = { ...disk, get: (hash) => ((reads += 1), disk.get(hash)) };
      for (const head of [heads[1_998]!, heads[1_999]!, heads[1_999]!]) await load(counted, head);
      assert.equal(reads, 2_000);
    }));

  it('is remembered within a limit: what was used longest ago is forgotten', () => {
    const cache = new EntryCache(1_000);
    for (let at = 0; at < 50; at += 1) {
      cache.add(`hash ${at}`, entry(null, `${at}`), 100);
      cache.get('hash 0');
    }
    assert.ok(cache.bytes <= 1_000);
    assert.ok(cache.get('hash 0') && cache.get('hash 49'));
    assert.equal(cache.get('hash 20'), undefined);
    cache.add('huge', entry(null, 'x'), 900);
    assert.equal(cache.get('huge'), undefined);
  });
});
