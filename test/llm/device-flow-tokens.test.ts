import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readdir, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { FileTokenStore } from '../../llm/auth/file-token-store.ts';
import { RenewedToken } from '../../llm/auth/renewed-token.ts';
import { withTempDir } from '../support/temp-dir.ts';
import { sendJson, withContractServer } from './support/contract-server.ts';
import { canaryKey, failure } from './support/requests.ts';

const inAnHour = () => Date.now() + 3_600_000;

describe('tokens in files', () => {
  it('can be read by their owner alone, and are written whole', async () => {
    await withTempDir(async (directory) => {
      const place = join(directory, 'tokens');
      const store = new FileTokenStore(place);
      assert.equal(await store.get('qwen'), undefined);
      const token = { accessToken: 'a', refreshToken: 'r', expiresAt: 5, baseUrl: 'https://example.org' };
      await Promise.all(Array.from({ length: 20 }, () => store.put('qwen', token)));
      assert.deepEqual(await store.get('qwen'), token);
      assert.deepEqual(await readdir(place), ['qwen.json']);
      assert.equal((await stat(join(place, 'qwen.json'))).mode & 0o777, 0o600);
      assert.equal((await stat(place)).mode & 0o777, 0o700);
    });
  });

  it('say that they cannot be read, but not what is there', async () => {
    await withTempDir(async (directory) => {
      await writeFile(join(directory, 'qwen.json'), `{"accessToken": "${canaryKey}`);
      const error = await failure('llm.not-configured', new FileTokenStore(directory).get('qwen'));
      assert.match(error.message, /qwen\.json holds no token/);
    });
  });

  it('are locked against everybody else, until the holder is done or dead', async () => {
    await withTempDir(async (directory) => {
      const store = new FileTokenStore(directory);
      const order: string[] = [];
      const work = (name: string) =>
        store.exclusively('qwen', async () => {
          order.push(`${name} in`);
          await sleep(20);
          order.push(`${name} out`);
        });
      await Promise.all([work('a'), work('b')]);
      assert.deepEqual(
        order.map((step) => step.slice(2)),
        ['in', 'out', 'in', 'out'],
      );
      // A process that does not exist any more.
      const { pid } = execFile('true');
      await sleep(50);
      await writeFile(
        join(directory, 'qwen.lock'),
        JSON.stringify({ pid, host: (await import('node:os')).hostname() }),
      );
      await work('c');
      assert.equal(order.at(-1), 'c out');
    });
  });

  it('let those who wait for the lock give up', async () => {
    await withTempDir(async (directory) => {
      const store = new FileTokenStore(directory);
      const reason = new Error('no time');
      const controller = new AbortController();
      await store.exclusively('qwen', async () => {
        setTimeout(() => controller.abort(reason), 20);
        await assert.rejects(
          store.exclusively('qwen', async () => undefined, controller.signal),
          reason,
        );
      });
    });
  });
});

describe('a token that is renewed', () => {
  it('is renewed once, when less than a minute is left, for all who ask', async () => {
    await withTempDir(async (directory) => {
      const store = new FileTokenStore(directory);
      await store.put('qwen', { accessToken: 'old', expiresAt: Date.now() + 30_000 });
      let renewals = 0;
      const token = () =>
        new RenewedToken({
          store,
          name: 'qwen',
          renew: async (old) => {
            renewals += 1;
            assert.equal(old?.accessToken, 'old');
            return { accessToken: 'new', expiresAt: inAnHour() };
          },
        });
      const one = token();
      const got = await Promise.all([one.get(), one.get(), token().get(), token().get()]);
      assert.deepEqual(
        got.map(({ accessToken }) => accessToken),
        ['new', 'new', 'new', 'new'],
      );
      assert.equal(renewals, 1);
      assert.equal((await store.get('qwen'))?.accessToken, 'new');
    });
  });

  it('is not renewed again when another one has replaced the refused token already', async () => {
    await withTempDir(async (directory) => {
      const store = new FileTokenStore(directory);
      await store.put('qwen', { accessToken: 'refused', expiresAt: inAnHour() });
      let renewals = 0;
      const token = new RenewedToken({
        store,
        name: 'qwen',
        renew: async () => ({ accessToken: `renewed ${++renewals}`, expiresAt: inAnHour() }),
      });
      assert.equal((await token.get()).accessToken, 'refused');
      await store.put('qwen', { accessToken: 'of another', expiresAt: inAnHour() });
      assert.equal((await token.replace('refused')).accessToken, 'of another');
      assert.equal((await token.replace('of another')).accessToken, 'renewed 1');
      assert.equal((await token.replace('of another')).accessToken, 'renewed 1');
      assert.equal(renewals, 1);
    });
  });

  it('is renewed once by several processes', async () => {
    await withTempDir(async (directory) => {
      await new FileTokenStore(directory).put('qwen', { accessToken: 'old', refreshToken: 'r', expiresAt: 1 });
      await withContractServer(
        async (_, response) => {
          await sleep(100);
          sendJson(response, 200, { access_token: 'new', refresh_token: 'r2', expires_in: 3600 });
        },
        async ({ url, requests }) => {
          const auth = new URL('../../llm/auth/', import.meta.url).href;
          const script = `
            import { FileTokenStore } from '${auth}file-token-store.ts';
            import { qwenToken } from '${auth}qwen.ts';
            const token = qwenToken(new FileTokenStore(${JSON.stringify(directory)}), { tokenEndpoint: '${url}' });
            process.stdout.write((await token.get()).accessToken);`;
          const run = () => promisify(execFile)(process.execPath, ['--input-type=module', '-e', script]);
          const outputs = await Promise.all([run(), run(), run()]);
          assert.deepEqual(
            outputs.map(({ stdout }) => stdout),
            ['new', 'new', 'new'],
          );
          assert.equal(requests.length, 1);
        },
      );
    });
  });
});
