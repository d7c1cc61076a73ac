import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { readdir, readFile, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type LlmRequestInput, llmRequestSchema, type LlmStreamEvent } from '../../contracts/llm.ts';
import { type FleetNode, openSshNode } from '../../fleet/node.ts';
import { Hub } from '../../llm/local/hub.ts';
import { NodeLlamaCpp } from '../../llm/local/node/provider.ts';
import { Relay } from '../../llm/local/node/relay.ts';
import type { HostChannel, HostSettings } from '../../llm/local/node/wire.ts';
import type { Progress } from '../../llm/local/progress.ts';
import { parseSource } from '../../llm/local/source.ts';
import { ModelHosts } from '../../workers/support/model-hosts.ts';
import { pathWith, systemPrograms } from '../support/few-programs.ts';
import { type Sshd, withSshd } from '../support/sshd.ts';
import { withTempDir } from '../support/temp-dir.ts';
import { type HubServer, withHub } from './support/hub-server.ts';
import { llamaHome } from './support/llama-home.ts';
import { collect, failure } from './support/requests.ts';
import { writeTinyGguf } from './support/tiny-gguf.ts';
import { eventually } from '../support/eventually.ts';

const token = 'hub-token-canary';

interface Place {
  node: FleetNode;
  sshd: Sshd;
  hub: HubServer;
  /** A model's file on the controller. */
  file: string;
  hosts(settings?: Partial<HostSettings>): ModelHosts;
}

/** A node without npm, and a hub that wants a token, which only the controller has. */
function withNode(use: (place: Place) => Promise<void>): Promise<void> {
  return withTempDir(async (dir) => {
    const file = join(dir, 'own.gguf');
    await writeTinyGguf(file, { context: 65_536, endless: true });
    const home = await llamaHome();
    const files = { 'tiny-q4_k_m.gguf': await readFile(file) };
    const path = pathWith(dir, [...systemPrograms, 'git', 'node', 'tar', 'gzip']);
    const opened: ModelHosts[] = [];
    await withHub({ files, token }, (hub) =>
      withSshd(
        async (sshd) => {
          const node = await openSshNode({
            name: 'n1',
            ssh: sshd.target,
            hostKey: { kind: 'known-hosts', file: await sshd.knownHosts() },
            cacheDir: join(dir, 'cache'),
            stores: () => Promise.reject(new Error('no step runs here')),
          });
          const hosts = (settings: Partial<HostSettings> = {}): ModelHosts => {
            const usual = { gpu: 'off', threads: 1, idleMs: 60_000, timeoutMs: 60_000, leaseMs: 20_000 } as const;
            opened.push(
              new ModelHosts({
                node: (name) => (name === 'n1' ? node : undefined),
                home,
                cacheDir: join(dir, 'cache'),
                hub: { url: hub.url, token },
                settings: { hubUrl: hub.url, ...usual, ...settings },
              }),
            );
            return opened.at(-1)!;
          };
          try {
            await use({ node, sshd, hub, file, hosts });
          } finally {
            for (const one of opened) one.close();
            await node.close();
          }
        },
        { path },
      ),
    );
  });
}

function ask(model: string, more: Partial<LlmRequestInput> = {}) {
  const messages = [{ role: 'user', content: [{ type: 'text', text: 'Hi' }] }];
  return llmRequestSchema.parse({ model, messages, maxTokens: 30, ...more });
}

function providerOf(hosts: ModelHosts): NodeLlamaCpp {
  return new NodeLlamaCpp(() => hosts.acquire('n1'));
}

/** Processes of the machine: the hosts of its models, and the models. */
function running(sshd: Sshd): { hosts: number; models: number } {
  const commands = sshd.processes().map(({ command }) => command);
  const hosts = commands.filter((command) => /model-host-\w+\.mjs --root/.test(command)).length;
  return { hosts, models: commands.filter((command) => /model-host-\w+\.mjs model/.test(command)).length };
}

const signal = new AbortController().signal;

describe('models on a node', () => {
  before('llama.cpp is fetched', () => llamaHome());

  it('come through the controller where the node has no npm and no token, go on after a break, and answer', () =>
    withNode(async ({ sshd, hub, hosts: open }) => {
      const hosts = open();
      const root = join(sshd.home, '.helix');
      const told: Progress[] = [];
      const pull = (its: AbortSignal) =>
        hosts.use('n1', (models) =>
          models.pull(parseSource('hub:owner/repository') as never, (progress) => told.push(progress), its),
        );

      hub.fixture.stallsAfter = 100_000;
      const stop = new AbortController();
      const reason = new Error('the user said stop');
      const stopped = pull(stop.signal);
      await Promise.all([
        assert.rejects(stopped, reason),
        eventually('a part has come', async () => told.some(({ completedBytes }) => completedBytes === 100_000)).then(
          () => stop.abort(reason),
        ),
      ]);
      delete hub.fixture.stallsAfter;
      const model = await pull(signal);
      assert.equal(model.name, 'tiny-q4_k_m');
      assert.match(model.source, /^hub:owner\/repository\/tiny-q4_k_m\.gguf@c0ffee/);
      assert.equal(hub.fetched.at(-1)?.range, 'bytes=100000-');
      assert.ok(told.some(({ what }) => /cannot fetch it.*sent by the controller/.test(what)));
      assert.ok(told.some(({ what }) => /npm cannot fetch llama\.cpp here/.test(what)));
      assert.deepEqual((await readdir(join(root, 'models', model.name))).toSorted(), [
        'manifest.json',
        'tiny-q4_k_m.gguf',
      ]);

      const provider = providerOf(hosts);
      const events = await collect(provider.generateStream(ask('tiny-q4_k_m@n1')));
      assert.ok(events.filter(({ type }) => type === 'text').length > 3);
      const last = events.at(-1);
      assert.ok(last?.type === 'finish');
      assert.deepEqual([last.response.model, last.response.usage.output], ['tiny-q4_k_m@n1', 30]);
      assert.deepEqual(running(sshd), { hosts: 1, models: 1 });
      assert.deepEqual(await hosts.use('n1', (models) => models.list()), [model]);

      for (const { pid } of sshd.processes())
        assert.ok(!(await readFile(`/proc/${pid}/environ`, 'latin1').catch(() => '')).includes(token));
      await hosts.use('n1', (models) => models.remove('tiny-q4_k_m'));
      assert.equal(existsSync(join(root, 'models', 'tiny-q4_k_m')), false);
      await failure('llm.model-not-found', provider.generate(ask('tiny-q4_k_m@n1')));
      hosts.close();
      await eventually('they end', async () => running(sshd).hosts + running(sshd).models === 0);
    }));

  it('end when an answer is stopped, a model dies, the connection is lost, nobody asks, or the controller is silent', () =>
    withNode(async ({ sshd, file, hosts: open }) => {
      await symlink(join(await llamaHome(), 'llama-cpp'), join(sshd.home, '.helix', 'llama-cpp'));
      const hosts = open({ idleMs: 1_500, leaseMs: 2_000 });
      const provider = providerOf(hosts);
      await hosts.use('n1', (models) => models.pull({ kind: 'file', path: file }, () => undefined, signal));
      const answering = (its?: AbortSignal) => {
        const started = Promise.withResolvers<void>();
        const ended = (async () => {
          const seen: LlmStreamEvent['type'][] = [];
          const options = its ? { signal: its } : {};
          for await (const { type } of provider.generateStream(ask('own@n1', { maxTokens: 30_000 }), options)) {
            seen.push(type);
            started.resolve();
          }
          return seen;
        })();
        ended.catch(started.reject);
        return { started: started.promise, ended };
      };

      const stop = new AbortController();
      const reason = new Error('the user said stop');
      const stopped = answering(stop.signal);
      await stopped.started;
      stop.abort(reason);
      await assert.rejects(stopped.ended, reason);
      const begun = performance.now();
      assert.equal((await provider.generate(ask('own@n1'))).usage.output, 30);
      assert.ok(performance.now() - begun < 5_000, 'the model is free again at once');

      const killed = answering();
      await killed.started;
      const model = sshd.processes().find(({ command }) => /model-host-\w+\.mjs model/.test(command))!;
      process.kill(model.pid, 'SIGKILL');
      assert.match((await failure('llm.unavailable', killed.ended)).message, /SIGKILL.*anew/);

      const lost = answering();
      await lost.started;
      sshd.killConnections();
      assert.match((await failure('llm.unavailable', lost.ended)).message, /n1 was lost while it was answering/);
      await eventually('they end', async () => running(sshd).models === 0);
      assert.equal((await provider.generate(ask('own@n1'))).usage.output, 30);

      await eventually('nobody asks', async () => running(sshd).hosts + running(sshd).models === 0, 10_000);

      const silent = answering();
      await silent.started;
      sshd.freeze();
      await eventually('the lease ends', async () => running(sshd).models === 0, 10_000);
      sshd.thaw();
      await failure('llm.unavailable', silent.ended);
    }));

  it('are given the files of their pull by the controller, and nothing else of it', () =>
    withTempDir(async (dir) => {
      await writeTinyGguf(join(dir, 'own.gguf'));
      await writeFile(join(dir, 'secret.gguf'), 'of nobody else');
      const relay = new Relay(dir, new Hub());
      const handlers = relay.handlers();
      const channel = { signal, event: () => undefined } as unknown as HostChannel;
      const asked = (method: string, request: object) => handlers[method]!(request as never, channel);
      const end = relay.serve('p1', { kind: 'file', path: join(dir, 'own.gguf') }, () => undefined);
      assert.deepEqual(await asked('relayFind', { pull: 'p1' }), ['own.gguf']);
      for (const path of ['secret.gguf', '../own.gguf', join(dir, 'own.gguf')])
        await failure('llm.model-not-found', asked('relayLocate', { pull: 'p1', path }));
      await failure('llm.model-not-found', asked('relayFetch', { pull: 'p1', path: 'secret.gguf', offset: 0 }));
      for (const packages of [['left-pad'], ['linux-x64', 'left-pad'], []])
        await failure('llm.model-not-found', asked('relayRuntime', { packages }));
      end();
      await failure('llm.unavailable', asked('relayFind', { pull: 'p1' }));
    }));
});
