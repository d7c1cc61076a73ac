import assert from 'node:assert/strict';
import type { ServerResponse } from 'node:http';
import type { LlmRequest } from '../../contracts/llm.ts';
import { deleteLocalModel, listLocalModels, pullModel, showLocalModel } from '../../llm/providers/ollama/models.ts';
import type { PullProgress } from '../../llm/providers/ollama/models.ts';
import { openOllama } from '../../llm/providers/ollama/provider.ts';
import { behavesAsProvider } from './support/behaviour.ts';
import { sendJson, withContractServer } from './support/contract-server.ts';
import { answerOf, collect, failure, request } from './support/requests.ts';

describe('ollama, against a scripted server', () => {
  behavesAsProvider({
    model: 'llama3.2',
    path: '/api/chat',
    keyless: true,
    withoutThinking: true,
    open: (settings, url) => openOllama({ ...settings, baseUrl: url }),
  });
});

interface Line {
  message?: object;
  done?: boolean;
  [key: string]: unknown;
}

function sendLines(response: ServerResponse, lines: readonly (Line | string)[]): void {
  response.writeHead(200, { 'content-type': 'application/x-ndjson' });
  for (const line of lines) response.write(`${typeof line === 'string' ? line : JSON.stringify(line)}\n`);
  response.end();
}

/** What Ollama is sent for a request, and what its answer is understood as. */
async function exchange(asked: LlmRequest, lines: readonly (Line | string)[] = [{ done: true }]) {
  return withContractServer(
    (_, response) => sendLines(response, lines),
    async ({ url, requests }) => {
      const events = await collect(openOllama({ baseUrl: url }).generateStream(asked));
      return { events, response: answerOf(events), body: requests[0]?.body as Record<string, unknown> };
    },
  );
}

describe('ollama', () => {
  it('streams thinking, text and calls, and counts tokens', async () => {
    const call = { function: { name: 'read', arguments: { path: 'a' } } };
    const { events, response } = await exchange(request('qwen3', 'Hi'), [
      { message: { role: 'assistant', content: '', thinking: 'Hm.' }, done: false },
      { message: { role: 'assistant', content: 'I read.' }, done: false },
      { message: { role: 'assistant', content: '', tool_calls: [call, call] }, done: false },
      {
        model: 'qwen3:8b',
        message: { content: '' },
        done: true,
        done_reason: 'stop',
        prompt_eval_count: 12,
        eval_count: 7,
      },
    ]);
    assert.deepEqual(
      events.map((event) => event.type),
      ['thinking', 'text', 'tool-call', 'tool-arguments', 'tool-call', 'tool-arguments', 'finish'],
    );
    assert.equal(response.stopReason, 'tool-calls');
    assert.equal(response.model, 'qwen3:8b');
    assert.deepEqual(response.usage, { input: 12, output: 7, thinking: 0, cacheRead: 0, cacheWrite: 0 });
    const ids = response.message.content.map((part) => (part.type === 'tool-call' ? part.id : part.type));
    assert.equal(new Set(ids).size, 4);
  });

  it('sends images, results, thoughts, schema and options as Ollama takes them', async () => {
    const png = 'iVBORw0KGgo=';
    const image = { type: 'image' as const, mediaType: 'image/png' as const, data: png };
    const { body } = await exchange(
      request(
        'qwen3',
        [
          { role: 'user', content: [{ type: 'text', text: 'Look' }, image] },
          {
            role: 'assistant',
            content: [
              { type: 'thinking', text: 'Hm.', opaque: { provider: 'ollama', data: null } },
              { type: 'thinking', text: 'Not for Ollama.', opaque: { provider: 'openai', data: {} } },
              { type: 'tool-call', id: 'a', name: 'shot', arguments: 'no json' },
            ],
          },
          {
            role: 'tool',
            content: [
              { type: 'tool-result', callId: 'a', name: 'shot', content: [{ type: 'text', text: 'Seen' }, image] },
            ],
          },
        ],
        {
          system: 'Be brief.',
          maxTokens: 50,
          stop: ['END'],
          tools: [{ name: 'shot', description: 'Shoots.', parameters: { type: 'object' } }],
          thinking: { mode: 'on' },
          responseSchema: { type: 'object' },
          providerOptions: { ollama: { num_ctx: 32768, keep_alive: '10m' } },
        },
      ),
    );
    assert.deepEqual(body, {
      model: 'qwen3',
      messages: [
        { role: 'system', content: 'Be brief.' },
        { role: 'user', content: 'Look', images: [png] },
        {
          role: 'assistant',
          content: '',
          thinking: 'Hm.',
          tool_calls: [{ function: { name: 'shot', arguments: { unreadable_arguments: 'no json' } } }],
        },
        { role: 'tool', content: 'Seen', tool_name: 'shot', images: [png] },
      ],
      tools: [{ type: 'function', function: { name: 'shot', description: 'Shoots.', parameters: { type: 'object' } } }],
      format: { type: 'object' },
      think: true,
      keep_alive: '10m',
      options: { num_predict: 50, stop: ['END'], num_ctx: 32768 },
      stream: true,
    });
  });

  it('asks for thinking only where somebody wishes it, and by effort where the model wants that', async () => {
    const think = async (model: string, thinking: LlmRequest['thinking']) =>
      (await exchange(request(model, 'Hi', { thinking }))).body['think'];
    assert.equal(await think('llama3.2', { mode: 'auto' }), undefined);
    assert.equal(await think('qwen3', { mode: 'off' }), false);
    assert.equal(await think('gpt-oss:20b', { mode: 'on', effort: 'high' }), 'high');
  });

  it('fails for a line that is no JSON, an error in the stream, and a stream that just ends', async () => {
    const begun = { message: { content: 'Hal' }, done: false };
    await failure('llm.malformed-answer', exchange(request('m', 'Hi'), [begun, '{"message": {"cont']));
    await failure(
      'llm.unavailable',
      exchange(request('m', 'Hi'), [begun, { error: 'model runner has unexpectedly stopped' }]),
    );
    await failure('llm.unavailable', exchange(request('m', 'Hi'), [begun]));
    const { response } = await exchange(request('m', 'Hi'), [begun, { done: true, done_reason: 'length' }]);
    assert.equal(response.stopReason, 'max-tokens');
  });

  it('says how to start it when it is not running, and how to fetch a model that is missing', async () => {
    const stopped = await withContractServer(
      () => undefined,
      async ({ url }) => url,
    );
    const down = await failure('llm.unavailable', openOllama({ baseUrl: stopped }).generate(request('m', 'Hi')));
    assert.match(down.message, /not running at 127\.0\.0\.1:\d+\. Start it with: ollama serve/);
    await withContractServer(
      (_, response) => sendJson(response, 404, { error: "model 'nope' not found" }),
      async ({ url }) => {
        const missing = await failure(
          'llm.model-not-found',
          openOllama({ baseUrl: url }).generate(request('nope', 'Hi')),
        );
        assert.match(missing.message, /helix models pull ollama\/nope/);
      },
    );
  });

  it('lists its models with their context and what they can do', async () => {
    const models = [
      {
        name: 'qwen3:8b',
        model: 'qwen3:8b',
        size: 5_200_000_000,
        digest: 'abc',
        details: { family: 'qwen3', parameter_size: '8.2B', quantization_level: 'Q4_K_M' },
      },
      { name: 'gone', model: 'gone', size: 1, digest: 'def', details: {} },
    ];
    const shown = {
      capabilities: ['completion', 'tools', 'thinking'],
      parameters: 'stop "<|im_end|>"',
      model_info: { 'qwen3.context_length': 40_960 },
    };
    await withContractServer(
      ({ path, body }, response) => {
        if (path === '/api/tags') return sendJson(response, 200, { models });
        return (body as { model: string }).model === 'gone'
          ? sendJson(response, 404, { error: 'not found' })
          : sendJson(response, 200, shown);
      },
      async ({ url }) => {
        const [first, second] = await listLocalModels({ baseUrl: url });
        assert.deepEqual(first, {
          info: {
            provider: 'ollama',
            id: 'qwen3:8b',
            contextTokens: 40_960,
            tools: true,
            vision: false,
            thinking: true,
            structuredOutput: true,
            promptCache: false,
          },
          sizeBytes: 5_200_000_000,
          digest: 'abc',
          family: 'qwen3',
          parameters: '8.2B',
          quantization: 'Q4_K_M',
        });
        assert.equal(second?.info.contextTokens, undefined);
        assert.equal((await openOllama({ baseUrl: url }).getModels()).length, 2);
        assert.equal((await showLocalModel({ baseUrl: url }, 'qwen3:8b')).contextTokens, 40_960);
        await failure('llm.model-not-found', showLocalModel({ baseUrl: url }, 'gone'));
      },
    );
  });

  it('fetches a model with progress, and says so when the fetching breaks off', async () => {
    const lines = [
      { status: 'pulling manifest' },
      { status: 'pulling 6a07', digest: 'sha256:6a07', total: 100, completed: 40 },
      { status: 'success' },
    ];
    const pull = async (all: Line[]) =>
      withContractServer(
        (_, response) => sendLines(response, all),
        async ({ url }) => {
          const seen: PullProgress[] = [];
          for await (const progress of pullModel({ baseUrl: url }, 'qwen3')) seen.push(progress);
          return seen;
        },
      );
    assert.deepEqual((await pull(lines))[1], {
      status: 'pulling 6a07',
      digest: 'sha256:6a07',
      totalBytes: 100,
      completedBytes: 40,
    });
    await failure('llm.unavailable', pull(lines.slice(0, 2)));
    await failure('llm.model-not-found', pull([{ error: 'pull model manifest: file does not exist' }]));
  });

  it('removes a model', async () => {
    await withContractServer(
      ({ body }, response) =>
        (body as { name: string }).name === 'qwen3'
          ? sendJson(response, 200, {})
          : sendJson(response, 404, { error: 'model not found' }),
      async ({ url, requests }) => {
        await deleteLocalModel({ baseUrl: url }, 'qwen3');
        assert.equal(requests[0]?.method, 'DELETE');
        await failure('llm.model-not-found', deleteLocalModel({ baseUrl: url }, 'nope'));
      },
    );
  });
});
