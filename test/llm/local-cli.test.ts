import assert from 'node:assert/strict';
import { join } from 'node:path';
import { readFile } from 'node:fs/promises';
import type { LocalModelDetails, LocalModelList, PullEvent, RecommendationList } from '../../contracts/local-model.ts';
import { listNodes } from '../../db/nodes.ts';
import { FleetModels, type FleetModelsOptions } from '../../llm/local/fleet-models.ts';
import { LocalModels } from '../../llm/local/local-models.ts';
import { withApi } from '../api/with-api.ts';
import { helix, type HelixOutput } from '../cli/helix.ts';
import { withTempDir } from '../support/temp-dir.ts';
import { sendJson, withContractServer } from './support/contract-server.ts';
import { type HubServer, withHub } from './support/hub-server.ts';
import { writeTinyGguf } from './support/tiny-gguf.ts';

interface Place {
  home: string;
  hub: HubServer;
  models(args: string[], options?: Parameters<typeof helix>[1]): Promise<HelixOutput>;
}

const nobody = 'http://127.0.0.1:1';

/** What needs a node is tested with one. */
const noNodes: FleetModelsOptions['remote'] = {
  pull: () => assert.fail('nothing is pulled to a node'),
  remove: () => assert.fail('nothing is removed from a node'),
};

function withModels(use: (place: Place) => Promise<void>, ollama = nobody): Promise<void> {
  return withTempDir(async (home) => {
    await writeTinyGguf(join(home, 'own.gguf'));
    const files = { 'tiny-q4_k_m.gguf': await readFile(join(home, 'own.gguf')) };
    await withHub({ files }, (hub) => {
      const local = new LocalModels({
        home,
        hub: { url: hub.url },
        ollama: { baseUrl: ollama },
        prepare: async (onProgress) => onProgress({ what: 'preparing' }),
      });
      return withApi(
        ({ url }) => use({ home, hub, models: (args, options) => helix(['--api', url, 'models', ...args], options) }),
        (deps) => ({
          ...deps,
          localModels: new FleetModels({
            local,
            nodes: () => listNodes(deps.database),
            placed: () => Promise.resolve([]),
            remote: noNodes,
          }),
        }),
      );
    });
  });
}

const source = 'hub:owner/repository:Q4_K_M';

describe('helix models, on this machine', () => {
  it('pulls, lists, shows and removes', () =>
    withModels(async ({ models, home }) => {
      assert.match((await models(['list', '--local'])).stdout, /no local models/);
      const pulled = await models(['pull', source]);
      assert.equal(pulled.code, 0, pulled.stderr);
      assert.match(pulled.stdout, /llamacpp\/tiny-q4_k_m is here/);
      assert.match(pulled.stderr, /downloading tiny-q4_k_m\.gguf.*\n[^]*preparing/);
      assert.match(
        (await models(['list', '--local'])).stdout,
        /llamacpp\/tiny-q4_k_m +local +\d+ kB +F32 +8k +hub:owner/,
      );
      const own = await models(['pull', './own.gguf'], { cwd: home });
      assert.match(own.stdout, /llamacpp\/own is here/, own.stderr);
      const listed = JSON.parse((await models(['list', '--local', '--json'])).stdout) as LocalModelList;
      assert.deepEqual(
        listed.models.map(({ name, node }) => `${name}@${node}`),
        ['own@local', 'tiny-q4_k_m@local'],
      );
      assert.match(listed.ollamaReason ?? '', /cannot be reached/);
      const details = JSON.parse((await models(['info', 'llamacpp/own', '--json'])).stdout) as LocalModelDetails;
      assert.deepEqual(
        [details.model?.facts.architecture, details.path],
        ['llama', join(home, 'models', 'own', 'own.gguf')],
      );
      assert.match(
        (await models(['info', 'own'])).stdout,
        /parameters +0\.0 billion[^]*node +local[^]*there +processor|graphics/,
      );
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

  it('recommends what fits the machines there are, and refuses what it does not know', () =>
    withModels(async ({ models }) => {
      const recommended = await models(['recommend', '--json']);
      assert.equal(recommended.code, 0, recommended.stderr);
      const found = JSON.parse(recommended.stdout) as RecommendationList;
      assert.deepEqual(
        found.machines.map(({ node }) => node),
        ['local'],
      );
      assert.ok(found.models.every(({ places: [first], licence }) => first!.fit.where !== 'nowhere' && licence !== ''));
      const table = await models(['recommend']);
      assert.match(table.stderr, /local: \d+ CPUs/);
      assert.match(table.stdout, /NODE +RUNS ON +TOKENS\/S[^]* local +(processor|graphics card|both) +about/);
      assert.match((await models(['recommend', '--node', 'none'])).stderr, /no node "none"/);
      const unknown = await models(['pull', 'gpt-oss-20b']);
      assert.deepEqual([unknown.code, /helix models recommend/.test(unknown.stderr)], [2, true]);
      const ollama = await models(['pull', 'ollama/qwen3']);
      assert.deepEqual([ollama.code, /ollama\/qwen3 cannot be reached/.test(ollama.stderr)], [1, true]);
      const elsewhere = await models(['pull', 'ollama/qwen3', '--node', 'n1']);
      assert.deepEqual([elsewhere.code, /leave --node out/.test(elsewhere.stderr)], [2, true]);
      assert.match((await models(['pull', source, '--node', 'n1'])).stderr, /no node "n1"/);
    }));

  it('pulls, lists, shows and removes models of Ollama', () => {
    const has = new Set<string>();
    const details = { family: 'qwen3', parameter_size: '8.2B', quantization_level: 'Q4_K_M' };
    const shown = {
      capabilities: ['completion', 'tools'],
      parameters: '',
      model_info: { 'qwen3.context_length': 40_960 },
    };
    return withContractServer(
      ({ path, body }, response) => {
        const { name = '', model = name } = (body ?? {}) as { model?: string; name?: string };
        if (path === '/api/tags')
          return sendJson(response, 200, {
            models: [...has].map((name) => ({ name, model: name, size: 5_200_000_000, digest: 'abc', details })),
          });
        if (path === '/api/pull') {
          has.add(model);
          response.writeHead(200, { 'content-type': 'application/x-ndjson' });
          const lines = [{ status: 'pulling 6a07', total: 100, completed: 40 }, { status: 'success' }];
          return void response.end(lines.map((line) => `${JSON.stringify(line)}\n`).join(''));
        }
        if (!has.has(model)) return sendJson(response, 404, { error: 'model not found' });
        if (path === '/api/delete') has.delete(model);
        return sendJson(response, 200, path === '/api/show' ? shown : {});
      },
      ({ url }) =>
        withModels(async ({ models }) => {
          const pulled = await models(['pull', 'ollama/qwen3:8b']);
          assert.equal(pulled.code, 0, pulled.stderr);
          assert.match(pulled.stderr, /pulling 6a07: 40% of 0 kB/);
          assert.match(pulled.stdout, /ollama\/qwen3:8b is here/);
          assert.match((await models(['list', '--local'])).stdout, /ollama\/qwen3:8b +- +5\.2 GB +Q4_K_M +41k +ollama/);
          assert.match((await models(['info', 'ollama/qwen3:8b'])).stdout, /context +41k[^]*can +tools/);
          assert.equal((await models(['rm', 'ollama/qwen3:8b'])).code, 0);
          assert.match((await models(['list', '--local'])).stdout, /no local models/);
          assert.equal((await models(['rm', 'ollama/qwen3:8b'])).code, 2);
        }, url),
    );
  });
});
