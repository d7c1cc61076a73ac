import assert from 'node:assert/strict';
import { execFile, execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { HelixError } from '../../contracts/error.ts';
import { type LlmRequestInput, llmRequestSchema, type LlmResponse, type LlmStreamEvent } from '../../contracts/llm.ts';
import { Hub } from '../../llm/local/hub.ts';
import { Puller } from '../../llm/local/pull.ts';
import { ModelStore } from '../../llm/local/store.ts';
import type { LlmProvider } from '../../llm/provider.ts';
import { ModelProcesses } from '../../llm/providers/llamacpp/model-processes.ts';
import { type LlamaCppSettings, openLlamaCpp } from '../../llm/providers/llamacpp/provider.ts';
import { ensureRuntime, isInstalled } from '../../llm/providers/llamacpp/runtime.ts';
import { withTempDir } from '../support/temp-dir.ts';
import { cpuBuild, llamaHome } from './support/llama-home.ts';
import { answerOf, collect, failure } from './support/requests.ts';
import { thinkingTemplate, writeTinyGguf } from './support/tiny-gguf.ts';

// A model of random weights says nothing, but it says it as any other does. One thread: the machine is shared.
const settings = { gpu: 'off', threads: 1 } as const;

function ask(model: string, more: Partial<LlmRequestInput> = {}) {
  return llmRequestSchema.parse({
    model,
    messages: [{ role: 'user', content: [{ type: 'text', text: 'Hi' }] }],
    maxTokens: 30,
    providerOptions: { llamacpp: { seed: 5 } },
    ...more,
  });
}

const look = {
  name: 'look',
  description: 'looks at something',
  parameters: {
    type: 'object',
    properties: {
      what: { enum: ['file', 'folder'] },
      deep: { type: 'boolean' },
      note: { type: 'string', maxLength: 4 },
    },
    required: ['what', 'deep'],
  },
};
const go = { name: 'go', description: 'goes away', parameters: { type: 'object', properties: {} } };

function withProvider(
  use: (provider: LlmProvider, model: string, folder: string) => Promise<void>,
  options: LlamaCppSettings & { template?: string; context?: number; endless?: boolean } = {},
): Promise<void> {
  return withTempDir(async (folder) => {
    const model = join(folder, 'tiny.gguf');
    await writeTinyGguf(model, options);
    const provider = openLlamaCpp({ home: await llamaHome(), ...settings, ...options });
    try {
      await use(provider, model, folder);
    } finally {
      await provider.close();
    }
  });
}

function callsOf(response: LlmResponse) {
  return response.message.content.filter((part) => part.type === 'tool-call');
}

describe('llamacpp, with a real model on the processor', () => {
  before('llama.cpp is fetched', () => llamaHome());

  it('streams an answer, counts its tokens, and says the same with the same seed', () =>
    withProvider(async (provider, model) => {
      const events = await collect(provider.generateStream(ask(model)));
      const response = answerOf(events);
      assert.ok(events.filter(({ type }) => type === 'text').length > 3);
      assert.deepEqual([response.provider, response.stopReason], ['llamacpp', 'max-tokens']);
      assert.equal(response.usage.output, 30);
      assert.ok(response.usage.input > 2 && response.usage.input < 100);
      const text = events.map((event) => (event.type === 'text' ? event.text : '')).join('');
      assert.deepEqual(response.message.content, [{ type: 'text', text }]);
      const again = await provider.generate(ask(model));
      assert.deepEqual(again.message, response.message);
      assert.ok(again.usage.cacheRead > 0, 'the prompt is kept from one answer to the next');
    }));

  it('obeys a JSON schema, without the members left out', () =>
    withProvider(async (provider, model) => {
      const responseSchema = {
        type: 'object',
        properties: {
          ok: { type: 'boolean' },
          size: { enum: ['small', 'large'] },
          note: { type: 'string', maxLength: 4 },
        },
        required: ['ok', 'size'],
      };
      for (const seed of [1, 2, 3]) {
        const { message, stopReason } = await provider.generate(
          ask(model, { responseSchema, maxTokens: 300, providerOptions: { llamacpp: { seed } } }),
        );
        const value = JSON.parse((message.content[0] as { text: string }).text) as Record<string, unknown>;
        assert.equal(typeof value['ok'], 'boolean');
        assert.ok(['small', 'large'].includes(value['size'] as string));
        assert.ok(!('note' in value) || typeof value['note'] === 'string');
        assert.equal(stopReason, 'end');
      }
    }));

  it('calls a tool by a grammar of its schema, and goes on with the result', () =>
    withProvider(async (provider, model) => {
      const request = ask(model, { tools: [look, go], toolChoice: { tool: 'look' }, maxTokens: 300 });
      const events = await collect(provider.generateStream(request));
      const response = answerOf(events);
      assert.equal(response.stopReason, 'tool-calls');
      const [call] = callsOf(response);
      assert.equal(call?.name, 'look');
      const given = call?.arguments as Record<string, unknown>;
      assert.ok(['file', 'folder'].includes(given['what'] as string));
      assert.equal(typeof given['deep'], 'boolean');
      assert.ok(!('note' in given) || typeof given['note'] === 'string');
      const streamed = events.find((event) => event.type === 'tool-arguments') as { text: string };
      assert.deepEqual(JSON.parse(streamed.text), given);

      const result = {
        type: 'tool-result' as const,
        callId: call.id,
        name: 'look',
        content: [{ type: 'text' as const, text: 'found' }],
      };
      const next = await provider.generate(
        ask(model, {
          tools: [look, go],
          messages: [...request.messages, response.message, { role: 'tool', content: [result] }],
        }),
      );
      assert.ok(next.usage.input > response.usage.input);
      const any = await provider.generate(ask(model, { tools: [look, go], toolChoice: 'required', maxTokens: 300 }));
      assert.ok(['look', 'go'].includes(callsOf(any)[0]!.name));
      const none = await provider.generate(ask(model, { tools: [look, go], toolChoice: 'none' }));
      assert.ok(none.usage.input < 100, 'tools that must not be called are not told of');
    }));

  it('thinks where its template has it, within its budget, and not when told so', () =>
    withProvider(
      async (provider, model) => {
        const thinking = await provider.generate(ask(model, { thinking: { mode: 'on' } }));
        assert.equal(thinking.message.content[0]?.type, 'thinking');
        assert.ok(thinking.usage.thinking > 10);
        const bounded = await provider.generate(
          ask(model, { thinking: { mode: 'on', budgetTokens: 5 }, maxTokens: 60 }),
        );
        assert.equal(bounded.usage.thinking, 5);
        const silent = await provider.generate(ask(model, { thinking: { mode: 'off' } }));
        assert.deepEqual(
          [silent.usage.thinking, silent.message.content.some(({ type }) => type === 'thinking')],
          [0, false],
        );
        const responseSchema = { type: 'object', properties: { ok: { type: 'boolean' } }, required: ['ok'] };
        const json = await provider.generate(ask(model, { responseSchema, maxTokens: 100 }));
        assert.match((json.message.content[0] as { text: string }).text, /^\{"ok":(true|false)\}$/);
      },
      { template: thinkingTemplate },
    ));

  it('refuses a prompt that is too long, and says when an answer outgrew the context', () =>
    withProvider(
      async (provider, model) => {
        const long = (letters: number): LlmRequestInput['messages'] => [
          { role: 'user', content: [{ type: 'text', text: 'x'.repeat(letters) }] },
        ];
        const refused = await failure('llm.context-exceeded', provider.generate(ask(model, { messages: long(2000) })));
        assert.match(refused.message, /contextTokens/);
        const full = await provider.generate(
          ask(model, { messages: long(880), maxTokens: 1000, providerOptions: { llamacpp: { seed: 9 } } }),
        );
        assert.ok(full.stopReason === 'context' || full.stopReason === 'end', full.stopReason);
        assert.ok(full.usage.input + full.usage.output <= 1024);
      },
      { contextTokens: 1024 },
    ));

  it('survives the death of the model in the middle of an answer', () =>
    withProvider(
      async (provider, model) => {
        const seen: LlmStreamEvent['type'][] = [];
        const pids = modelPids();
        const answer = (async () => {
          for await (const event of provider.generateStream(ask(model, { maxTokens: 30_000 }))) {
            if (seen.length === 0) for (const pid of modelPids()) if (!pids.includes(pid)) process.kill(pid, 'SIGKILL');
            seen.push(event.type);
          }
        })();
        const error = await failure('llm.unavailable', answer);
        assert.match(error.message, /SIGKILL.*anew/);
        assert.ok(!seen.includes('finish'));
        assert.equal((await provider.generate(ask(model))).usage.output, 30);
      },
      { context: 65_536, contextTokens: 32_768, endless: true },
    ));

  it('ends an answer that is aborted or left, and is free for the next', () =>
    withProvider(async (provider, model) => {
      const stop = new AbortController();
      const reason = new Error('the user said stop');
      const aborted = (async () => {
        for await (const _ of provider.generateStream(ask(model, { maxTokens: 8000 }), { signal: stop.signal }))
          stop.abort(reason);
      })();
      await assert.rejects(aborted, reason);
      for await (const _ of provider.generateStream(ask(model, { maxTokens: 8000 }))) break;
      const begun = performance.now();
      assert.equal((await provider.generate(ask(model))).usage.output, 30);
      assert.ok(performance.now() - begun < 5_000);
    }));

  it('ends with the process that asked it, which it does not keep alive', () =>
    withProvider(async (_provider, model, folder) => {
      const script = join(folder, 'ask.mts');
      const home = await llamaHome();
      const text = `
        import { openLlamaCpp } from ${JSON.stringify(import.meta.resolve('../../llm/providers/llamacpp/provider.ts'))};
        const provider = openLlamaCpp(${JSON.stringify({ home, ...settings })});
        const { usage } = await provider.generate(${JSON.stringify(ask(model))});
        const { execFileSync } = await import('node:child_process');
        const pids = execFileSync('ps', ['-o', 'pid=', '--ppid', String(process.pid), '-C', 'none'], { encoding: 'utf8' });
        console.log(JSON.stringify({ output: usage.output, pids: pids.trim().split(/\\s+/).map(Number) }));
      `;
      await writeFile(script, text);
      const { stdout } = await promisify(execFile)(process.execPath, ['--no-warnings', script], { timeout: 20_000 });
      const { output, pids } = JSON.parse(stdout) as { output: number; pids: number[] };
      assert.equal(output, 30);
      const isGone = () => pids.every((pid) => !existsSync(`/proc/${pid}`));
      for (let tries = 0; !isGone() && tries < 50; tries += 1) await new Promise((resolve) => setTimeout(resolve, 100));
      assert.ok(isGone(), `one of ${pids.join()} lives on`);
    }));

  it('answers one after the other when several ask at once', () =>
    withProvider(async (provider, model) => {
      const answers = await Promise.all([1, 2, 3].map(() => provider.generate(ask(model))));
      assert.equal(new Set(answers.map((answer) => JSON.stringify(answer.message))).size, 1);
    }));

  it('refuses images, files that are no models, and models there are none of', () =>
    withProvider(async (provider, model, folder) => {
      const image = { type: 'image' as const, mediaType: 'image/png' as const, data: 'iVBORw0KGgo=' };
      await failure(
        'llm.unsupported',
        provider.generate(ask(model, { messages: [{ role: 'user', content: [image] }] })),
      );
      const missing = await failure('llm.model-not-found', provider.generate(ask('nothing')));
      assert.match(missing.message, /helix models pull/);
      await writeFile(join(folder, 'no.gguf'), 'no model');
      await failure('usage.invalid', provider.generate(ask(join(folder, 'no.gguf'))));
      const cut = join(folder, 'cut.gguf');
      await writeTinyGguf(cut);
      await writeFile(cut, (await readFile(cut)).subarray(0, 200_000));
      const damaged = await failure('llm.unsupported', provider.generate(ask(cut)));
      assert.match(damaged.message, /damaged/);
    }));

  it('looks at the memory before it loads', () =>
    withProvider(
      async (provider, model) => {
        const error = await failure('llm.overloaded', provider.generate(ask(model)));
        assert.match(error.message, /needs \d+ MB .* 1 MB are free/);
      },
      { freeMemory: () => 1e6 },
    ));

  it('runs with less context where there is no memory for more', () =>
    withProvider(
      async (provider, model) => {
        const refused = await failure(
          'llm.context-exceeded',
          provider.generate(
            ask(model, { messages: [{ role: 'user', content: [{ type: 'text', text: 'x'.repeat(6000) }] }] }),
          ),
        );
        assert.match(refused.message, /the context [45]\d{3}\)/);
      },
      // The weights, and the cache of some 5,000 tokens, twice.
      { freeMemory: () => (480_000 + 5_000 * 512) * 2.05 },
    ));

  it('lists the models of the store, and is unconfigured without any', () =>
    withTempDir(async (home) => {
      const provider = openLlamaCpp({ home, ...settings });
      assert.deepEqual(await provider.getModels(), []);
      const health = await provider.getHealth();
      assert.deepEqual([health.status, /helix models pull/.test(health.reason ?? '')], ['unconfigured', true]);
      await writeTinyGguf(join(home, 'Tiny.gguf'), { template: thinkingTemplate });
      const puller = new Puller(new ModelStore(home), new Hub());
      await puller.pull(
        { kind: 'file', path: join(home, 'Tiny.gguf') },
        { signal: new AbortController().signal, onProgress: () => undefined },
      );
      const [info] = await provider.getModels();
      assert.deepEqual([info?.id, info?.contextTokens, info?.thinking, info?.price?.input], ['tiny', 8192, true, 0]);
      assert.equal(await provider.isAvailable(), true);
    }));
});

describe("llamacpp's processes", () => {
  it('are shared by those who want one model, and end when nobody has wanted it for a while', () =>
    withTempDir(async (folder) => {
      const model = join(folder, 'tiny.gguf');
      await writeTinyGguf(model);
      const processes = new ModelProcesses({
        home: await llamaHome(),
        builds: [cpuBuild()],
        contextTokens: 512,
        threads: 1,
        idleMs: 50,
        onProgress: () => undefined,
      });
      const signal = new AbortController().signal;
      const [one, two] = await Promise.all([
        processes.acquire('tiny', model, signal),
        processes.acquire('tiny', model, signal),
      ]);
      assert.equal(one.process, two.process);
      one.release();
      await new Promise((resolve) => setTimeout(resolve, 100));
      assert.ok(two.process.isAlive, 'somebody still uses it');
      two.release();
      await two.process.ended;
      const third = await processes.acquire('tiny', model, signal);
      assert.notEqual(third.process.pid, one.process.pid);
      await processes.close();
      assert.ok(!third.process.isAlive);
      await assert.rejects(processes.acquire('tiny', model, signal), HelixError);
    }));
});

describe('llama.cpp itself', () => {
  it('is small, fetched once by two that want it, and made again when it is half', async () => {
    const home = await llamaHome();
    const build = cpuBuild();
    const folder = await ensureRuntime(home, build, () => assert.fail('it is there already'));
    assert.deepEqual(await readdir(join(folder, 'node_modules', '@node-llama-cpp')), build.packages);
    await rm(join(folder, 'installed.json'));
    await mkdir(`${folder}.draft-of-a-killed-process`);
    assert.equal(await isInstalled(home, build), false);
    const told: string[] = [];
    const wanted = [1, 2].map(() =>
      ensureRuntime(home, build, ({ what }) => void (/ s$/.test(what) || told.push(what))),
    );
    assert.deepEqual(await Promise.all(wanted), [folder, folder]);
    assert.equal(told.length, 1);
    assert.equal(await isInstalled(home, build), true);
    assert.equal(existsSync(`${folder}.draft-of-a-killed-process`), false);
  });

  it('says what is missing when npm is not there or cannot reach its registry, and leaves nothing half', () =>
    withTempDir(async (home) => {
      const build = cpuBuild();
      const fetchWith = (variables: Record<string, string>) =>
        withEnvironment(variables, () => ensureRuntime(home, build, () => undefined));
      await failure('llm.not-configured', fetchWith({ PATH: home }));
      const nobody = {
        npm_config_registry: 'http://127.0.0.1:1',
        npm_config_fetch_retries: '0',
        npm_config_cache: join(home, 'cache'),
      };
      const error = await failure('llm.unavailable', fetchWith(nobody));
      assert.match(error.message, /ECONNREFUSED/);
      assert.deepEqual(await readdir(join(home, 'llama-cpp', '3.22.1')), []);
    }));
});

/** Children of this process that hold a model. */
function modelPids(): number[] {
  const listed = execFileSync('ps', ['-o', 'pid=,args=', '--ppid', String(process.pid)], { encoding: 'utf8' });
  return listed.split('\n').flatMap((line) => (line.includes('model-main.ts') ? [Number.parseInt(line, 10)] : []));
}

async function withEnvironment<T>(variables: Record<string, string>, use: () => Promise<T>): Promise<T> {
  const before = Object.keys(variables).map((name) => [name, process.env[name]] as const);
  Object.assign(process.env, variables);
  try {
    return await use();
  } finally {
    for (const [name, value] of before) {
      if (value === undefined) delete process.env[name];
      else process.env[name] = value;
    }
  }
}
