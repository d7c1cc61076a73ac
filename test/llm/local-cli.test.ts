import assert from 'node:assert/strict';
import { join } from 'node:path';
import { readFile } from 'node:fs/promises';
import type { LocalModel, LocalModelDetails, PullEvent, RecommendationList } from '../../contracts/local-model.ts';
import { LocalModels } from '../../llm/local/local-models.ts';
import { withApi } from '../api/with-api.ts';
import { helix, type HelixOutput } from '../cli/helix.ts';
import { withTempDir } from '../support/temp-dir.ts';
import { type HubServer, withHub } from './support/hub-server.ts';
import { writeTinyGguf } from './support/tiny-gguf.ts';

interface Place {
  home: string;
  hub: HubServer;
  models(args: string[], options?: Parameters<typeof helix>[1]): Promise<HelixOutput>;
}

function withModels(use: (place: Place) => Promise<void>): Promise<void> {
  return withTempDir(async (home) => {
    await writeTinyGguf(join(home, 'own.gguf'));
    const files = { 'tiny-q4_k_m.gguf': await readFile(join(home, 'own.gguf')) };
    await withHub({ files }, (hub) => {
      const localModels = new LocalModels({
        home,
        hub: { url: hub.url },
        ollama: { baseUrl: 'http://127.0.0.1:1' },
        prepare: async (onProgress) => onProgress({ what: 'preparing' }),
      });
      return withApi(
        ({ url }) => use({ home, hub, models: (args, options) => helix(['--api', url, 'models', ...args], options) }),
        (deps) => ({ ...deps, localModels }),
      );
    });
  });
}

const source = 'hub:owner/repository:Q4_K_M';

describe('helix models, on this machine', function () {
  this.timeout(60_000);

  it('pulls, lists, shows and removes', () =>
    withModels(async ({ models, home }) => {
      assert.match((await models(['list', '--local'])).stdout, /no local models/);
      const pulled = await models(['pull', source]);
      assert.equal(pulled.code, 0, pulled.stderr);
      assert.match(pulled.stdout, /llamacpp\/tiny-q4_k_m is here/);
      assert.match(pulled.stderr, /downloading tiny-q4_k_m\.gguf.*\n[^]*preparing/);
      assert.match((await models(['list', '--local'])).stdout, /llamacpp\/tiny-q4_k_m +\d+ kB +F32 +8k +hub:owner/);
      const own = await models(['pull', './own.gguf'], { cwd: home });
      assert.match(own.stdout, /llamacpp\/own is here/, own.stderr);
      const listed = JSON.parse((await models(['list', '--local', '--json'])).stdout) as LocalModel[];
      assert.deepEqual(
        listed.map(({ name }) => name),
        ['own', 'tiny-q4_k_m'],
      );
      const details = JSON.parse((await models(['info', 'llamacpp/own', '--json'])).stdout) as LocalModelDetails;
      assert.deepEqual(
        [details.model?.facts.architecture, details.path],
        ['llama', join(home, 'models', 'own', 'own.gguf')],
      );
      assert.match((await models(['info', 'own'])).stdout, /parameters +0\.0 billion[^]*here +processor|graphics/);
      assert.match((await models(['rm', 'own'])).stdout, /own is removed/);
      const again = await models(['rm', 'own']);
      assert.deepEqual([again.code, /no local model own/.test(again.stderr)], [2, true]);
    }));

  it('tells programs how far a pull is, line by line', () =>
    withModels(async ({ models }) => {
      const { stdout, code } = await models(['pull', source, '--json']);
      assert.equal(code, 0);
      const events = stdout
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line) as PullEvent);
      assert.ok(events.some((event) => event.type === 'progress' && event.what.startsWith('downloading')));
      const last = events.at(-1);
      assert.ok(last?.type === 'done' && last.name === 'llamacpp/tiny-q4_k_m' && last.model?.files.length === 1);
    }));

  it('keeps what has come on Ctrl-C, and goes on from there', () =>
    withModels(async ({ models, hub }) => {
      hub.fixture.stallsAfter = 100_000;
      const interrupted = await models(['pull', source, '--json'], {
        onOutput: (stdout, child) => void (stdout.includes('"completedBytes":100000') && child.kill('SIGINT')),
      });
      assert.equal(interrupted.code, 130);
      assert.match(interrupted.stderr, /interrupted.*again/);
      delete hub.fixture.stallsAfter;
      const resumed = await models(['pull', source]);
      assert.equal(resumed.code, 0, resumed.stderr);
      assert.equal(hub.fetched.at(-1)?.range, 'bytes=100000-');
    }));

  it('recommends what fits this machine, and refuses what it does not know', () =>
    withModels(async ({ models }) => {
      const recommended = await models(['recommend', '--json']);
      assert.equal(recommended.code, 0, recommended.stderr);
      const found = JSON.parse(recommended.stdout) as RecommendationList;
      assert.equal(found.node, 'this machine');
      assert.ok(found.models.every(({ fit, licence }) => fit.where !== 'nowhere' && licence !== ''));
      assert.match((await models(['recommend'])).stderr, /this machine: \d+ CPUs/);
      assert.match((await models(['recommend', '--node', 'none'])).stderr, /no node "none"/);
      const unknown = await models(['pull', 'gpt-oss-20b']);
      assert.deepEqual([unknown.code, /helix models recommend/.test(unknown.stderr)], [2, true]);
      const ollama = await models(['pull', 'ollama/qwen3']);
      assert.deepEqual([ollama.code, /ollama\/qwen3 cannot be reached/.test(ollama.stderr)], [1, true]);
    }));
});
