import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type ErrorCode, HelixError } from '../../contracts/error.ts';
import type { LocalModel } from '../../contracts/local-model.ts';
import type { DownloadOptions } from '../../llm/local/download.ts';
import { Hub } from '../../llm/local/hub.ts';
import { Puller } from '../../llm/local/pull.ts';
import { parseSource } from '../../llm/local/source.ts';
import { ModelStore } from '../../llm/local/store.ts';
import { withTempDir } from '../support/temp-dir.ts';
import { type HubFixture, type HubServer, withHub } from './support/hub-server.ts';
import { writeTinyGguf } from './support/tiny-gguf.ts';

interface Place extends HubServer {
  home: string;
  store: ModelStore;
  model: Buffer;
  pull(source: string, options?: Partial<DownloadOptions>): Promise<LocalModel>;
  /** What is in the folder of a model. */
  inside(name: string): Promise<string[]>;
}

/** A store, and a hub that has the tiny model as `tiny-q4_k_m.gguf`. */
function withPlace(
  use: (place: Place) => Promise<void>,
  fixture: (model: Buffer) => Partial<HubFixture> = () => ({}),
  token?: string,
): Promise<void> {
  return withTempDir(async (home) => {
    await writeTinyGguf(join(home, 'tiny.gguf'));
    const model = await readFile(join(home, 'tiny.gguf'));
    await withHub({ files: { 'tiny-q4_k_m.gguf': model }, ...fixture(model) }, (hub) => {
      const store = new ModelStore(home);
      const puller = new Puller(store, new Hub({ url: hub.url, token }));
      return use({
        ...hub,
        home,
        store,
        model,
        pull: (source, options) =>
          puller.pull(parseSource(source) as Parameters<Puller['pull']>[0], {
            signal: new AbortController().signal,
            onProgress: () => undefined,
            ...options,
          }),
        inside: async (name) => (await readdir(store.folderOf(name))).toSorted(),
      });
    });
  });
}

async function fails(code: ErrorCode, promise: Promise<unknown>, message = /./): Promise<void> {
  await assert.rejects(
    promise,
    (error) => error instanceof HelixError && error.code === code && message.test(error.message),
  );
}

const file = 'hub:owner/repository/tiny-q4_k_m.gguf';

describe('models from a hub', () => {
  it('are followed to the CDN, verified, and kept with a manifest', () =>
    withPlace(async ({ pull, store, model, home, inside }) => {
      const told = new Set<string>();
      const pulled = await pull(file, { onProgress: ({ what }) => told.add(what) });
      assert.equal(pulled.name, 'tiny-q4_k_m');
      assert.equal(pulled.source, `${file}@c0ffee0000000000000000000000000000000000`);
      assert.deepEqual(await store.list(), [pulled]);
      assert.deepEqual(await readFile(store.fileOf(pulled)), model);
      assert.equal(pulled.files[0]?.sha256, createHash('sha256').update(model).digest('hex'));
      assert.deepEqual(await inside('tiny-q4_k_m'), ['manifest.json', 'tiny-q4_k_m.gguf']);
      assert.deepEqual([pulled.facts.architecture, pulled.facts.contextTokens], ['llama', 8192]);
      assert.equal(pulled.facts.cacheBytesPerToken, 2 * 2 * 64 * 2);
      assert.ok(told.has('downloading tiny-q4_k_m.gguf') && told.has('verifying tiny-q4_k_m.gguf'), [...told].join());
      assert.deepEqual((await readdir(join(home, 'models'))).toSorted(), ['tiny-q4_k_m']);
    }));

  it('are found by their quantization, and by the usual one when none is named', () =>
    withPlace(
      async ({ pull }) => {
        assert.equal((await pull('hub:owner/repository:q8_0')).name, 'tiny-q8_0');
        assert.equal((await pull('owner/repository')).name, 'tiny-q4_k_m');
        await fails('llm.model-not-found', pull('hub:owner/repository:Q6_K'), /Q6_K.*tiny-q8_0\.gguf/);
        await fails('llm.model-not-found', pull('hub:owner/other/x.gguf'));
      },
      (model) => ({
        files: {
          'README.md': Buffer.from(''),
          'tiny-q8_0.gguf': model,
          'mmproj-q4_k_m.gguf': model,
          'tiny-q4_k_m.gguf': model,
        },
      }),
    ));

  it('go on where a broken download ended', () =>
    withPlace(
      async ({ pull, fetched, store, model }) => {
        const pulled = await pull(file);
        assert.deepEqual(await readFile(store.fileOf(pulled)), model);
        const begins = fetched.map(({ range }) => Number(/bytes=(\d+)-/.exec(range ?? 'bytes=0-')?.[1]));
        assert.deepEqual(begins, [0, 100_000, 200_000]);
      },
      () => ({ cut: { after: 100_000, times: 2 } }),
    ));

  it('go on in another pull after an interrupted one, whose part stays', () =>
    withPlace(async ({ pull, fixture, fetched, inside, store, model }) => {
      fixture.stallsAfter = 150_000;
      const interrupted = new AbortController();
      const reason = new Error('Ctrl-C');
      const onProgress: DownloadOptions['onProgress'] = ({ completedBytes = 0 }) => {
        if (completedBytes >= 150_000) interrupted.abort(reason);
      };
      await assert.rejects(pull(file, { signal: interrupted.signal, onProgress }), reason);
      const [part, ...others] = await inside('tiny-q4_k_m');
      assert.match(part ?? '', /^[0-9a-f]{64}\.part$/);
      assert.deepEqual([others, await store.list()], [[], []]);
      delete fixture.stallsAfter;
      const pulled = await pull(file);
      assert.equal(fetched.at(-1)?.range, 'bytes=150000-');
      assert.deepEqual(await readFile(store.fileOf(pulled)), model);
    }));

  it('are taken up again when nothing comes any more', () =>
    withPlace(async ({ pull, fixture, fetched }) => {
      fixture.stallsAfter = 1000;
      const onProgress: DownloadOptions['onProgress'] = ({ completedBytes }) => {
        if (completedBytes === 1000) delete fixture.stallsAfter;
      };
      await pull(file, { stallMs: 200, onProgress });
      assert.equal(fetched.at(-1)?.range, 'bytes=1000-');
    }));

  it('begin anew where the server knows no ranges', () =>
    withPlace(
      async ({ pull, store, model }) => {
        assert.deepEqual(await readFile(store.fileOf(await pull(file))), model);
      },
      () => ({ ignoresRanges: true, cut: { after: 100_000, times: 1 } }),
    ));

  it('give up with the part kept when a download brings nothing new', () =>
    withPlace(
      async ({ pull, fetched }) => {
        await fails('llm.unavailable', pull(file, { attempts: 2 }), /pull again to go on/);
        assert.equal(fetched.length, 2);
      },
      () => ({ cut: { after: 0, times: 99 } }),
    ));

  it('are refused, and removed, when their hash is another', () =>
    withPlace(
      async ({ pull, inside, store }) => {
        await fails('llm.malformed-answer', pull(file), /SHA-256/);
        assert.deepEqual([await inside('tiny-q4_k_m'), await store.list()], [[], []]);
      },
      () => ({ damaged: true }),
    ));

  it('need a token where the hub asks for one, which the CDN never sees', () =>
    withPlace(
      async ({ pull, url, store }) => {
        await fails('llm.authentication', pull(file), /restricted.*HF_TOKEN/);
        const allowed = new Puller(store, new Hub({ url, token: 'hf_secret_canary' }));
        assert.ok(
          await allowed.pull(parseSource(file) as never, {
            signal: new AbortController().signal,
            onProgress: () => undefined,
          }),
        );
      },
      () => ({ token: 'hf_secret_canary' }),
    ));

  it('send no token to other servers', () =>
    withPlace(
      async ({ pull, asked, fetched }) => {
        await pull(file);
        assert.ok(asked.every(({ authorization }) => authorization === 'Bearer hf_secret_canary'));
        assert.deepEqual(new Set(fetched.map(({ authorization }) => authorization)), new Set([undefined]));
      },
      () => ({ token: 'hf_secret_canary' }),
      'hf_secret_canary',
    ));

  it('are verified by the pointer of git LFS where a mirror sends no hashes', () =>
    withPlace(
      async ({ pull, asked, store, model }) => {
        assert.deepEqual(await readFile(store.fileOf(await pull(file))), model);
        assert.ok(asked.some(({ path }) => path.includes('/raw/')));
      },
      () => ({ withoutHashes: true }),
    ));

  it('come whole when they are split, of one commit', () =>
    withPlace(
      async ({ pull, asked, store, inside }) => {
        const pulled = await pull('hub:owner/repository:Q4_K_M');
        assert.equal(pulled.name, 'big-q4_k_m');
        assert.deepEqual(await inside('big-q4_k_m'), [
          'big-q4_k_m-00001-of-00002.gguf',
          'big-q4_k_m-00002-of-00002.gguf',
          'manifest.json',
        ]);
        assert.match(store.fileOf(pulled), /00001-of-00002/);
        assert.ok(asked.some(({ path }) => path.includes('/c0ffee') && path.endsWith('00002-of-00002.gguf')));
      },
      (model) => ({
        files: { 'big-q4_k_m-00002-of-00002.gguf': Buffer.from('the rest'), 'big-q4_k_m-00001-of-00002.gguf': model },
      }),
    ));

  it('are fetched once by two that pull at a time, and not again', () =>
    withPlace(async ({ pull, fetched }) => {
      const [first, second] = await Promise.all([pull(file), pull(file)]);
      assert.deepEqual(second, first);
      await pull(file);
      assert.equal(fetched.length, 1);
    }));

  it('are refused before the download when the disk has no room', () =>
    withPlace(async ({ url, store, fetched }) => {
      const hub = new Hub({ url });
      const locate = hub.locate.bind(hub);
      hub.locate = async (...args) => ({ ...(await locate(...args)), bytes: 2 ** 60 });
      const pull = new Puller(store, hub).pull(parseSource(file) as never, {
        signal: new AbortController().signal,
        onProgress: () => undefined,
      });
      await fails('node.disk-full', pull, /helix models rm/);
      assert.equal(fetched.length, 0);
    }));

  it('that cannot be reached say how to name a mirror', () =>
    withTempDir(async (home) => {
      const puller = new Puller(new ModelStore(home), new Hub({ url: 'http://127.0.0.1:1' }));
      const pull = puller.pull(parseSource(file) as never, {
        signal: new AbortController().signal,
        onProgress: () => undefined,
      });
      await fails('llm.unavailable', pull, /HF_ENDPOINT/);
    }));
});

describe('models from a file', () => {
  it('are copied into the store and verified to be models', () =>
    withPlace(async ({ pull, store, home, model }) => {
      const pulled = await pull(join(home, 'tiny.gguf'));
      assert.equal(pulled.name, 'tiny');
      assert.deepEqual(await readFile(store.fileOf(pulled)), model);
      assert.equal((await pull(`file://${join(home, 'tiny.gguf')}`)).pulledAt, pulled.pulledAt);
      await writeFile(join(home, 'no.gguf'), 'this is no model');
      await fails('usage.invalid', pull(join(home, 'no.gguf')), /no GGUF/);
      await writeFile(join(home, 'half.gguf'), model.subarray(0, 300));
      await fails('usage.invalid', pull(join(home, 'half.gguf')), /ends in the middle/);
      await fails('usage.invalid', pull(join(home, 'none.gguf')), /cannot be read/);
    }));

  it('are replaced by another version, and removed', () =>
    withPlace(async ({ pull, store, home }) => {
      const first = await pull(join(home, 'tiny.gguf'));
      await writeTinyGguf(join(home, 'tiny.gguf'), { context: 4096 });
      const second = await pull(join(home, 'tiny.gguf'));
      assert.notEqual(second.files[0]?.sha256, first.files[0]?.sha256);
      assert.equal((await store.get('tiny')).facts.contextTokens, 4096);
      await store.remove('tiny');
      assert.deepEqual([await store.list(), store.hasAny()], [[], false]);
      await fails('llm.model-not-found', store.remove('tiny'));
      await fails('llm.model-not-found', store.get('../tiny'));
    }));
});

describe('what to pull', () => {
  it('is read in all its forms', () => {
    const hub = { kind: 'hub', repository: 'a/b', revision: 'main' };
    assert.deepEqual(parseSource('hub:a/b/c/d.gguf'), { ...hub, file: 'c/d.gguf' });
    assert.deepEqual(parseSource('a/b:Q4_K_M'), { ...hub, quantization: 'Q4_K_M' });
    assert.deepEqual(parseSource('hf:a/b@v1:Q4_K_M'), { ...hub, revision: 'v1', quantization: 'Q4_K_M' });
    assert.deepEqual(parseSource('ollama/qwen3:8b'), { kind: 'ollama', model: 'qwen3:8b' });
    assert.deepEqual(parseSource('/models/x.gguf'), { kind: 'file', path: '/models/x.gguf' });
    assert.equal((parseSource('gpt-oss-20b-mxfp4') as { repository: string }).repository, 'ggml-org/gpt-oss-20b-GGUF');
    for (const wrong of ['gpt-oss-20b-mxfp5', 'hub:a/b/../../x.gguf', 'hub:a', 'x'])
      assert.throws(() => parseSource(wrong), /is no model to pull/);
    assert.throws(() => parseSource('gpt-oss-20b-mxfp5'), /did you mean gpt-oss-20b-mxfp4/);
  });
});
