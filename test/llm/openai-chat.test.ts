import assert from 'node:assert/strict';
import type { LlmRequestInput, LlmResponse } from '../../contracts/llm.ts';
import { openCompatible } from '../../llm/providers/compatible/provider.ts';
import type { CompatibleSettings } from '../../llm/providers/compatible/provider.ts';
import { openOpenAi } from '../../llm/providers/openai/provider.ts';
import { sendEvents, sendJson, withContractServer } from './support/contract-server.ts';
import { answerOf, canaryKey, collect, failure, request, textOf } from './support/requests.ts';

const stop = { choices: [{ delta: {}, finish_reason: 'stop' }] };
const done = 'data: [DONE]\n\n';

/** What a server that streams these chunks is understood to have answered. */
async function answer(
  chunks: readonly (object | string)[],
  more: Partial<LlmRequestInput> = {},
  settings: CompatibleSettings = {},
): Promise<LlmResponse> {
  return withContractServer(
    (_, response) => sendEvents(response, chunks),
    async ({ url }) => {
      const provider = openCompatible({ baseUrl: url, ...settings });
      return answerOf(await collect(provider.generateStream(request('m', more.messages ?? 'Hi', more))));
    },
  );
}

/** The body that a provider sends for a request. */
async function sent(
  open: (url: string) => ReturnType<typeof openOpenAi>,
  asked: ReturnType<typeof request>,
): Promise<Record<string, unknown>> {
  return withContractServer(
    (_, response) => sendEvents(response, [stop, done]),
    async ({ url, requests }) => {
      await open(url).generate(asked);
      return requests[0]?.body as Record<string, unknown>;
    },
  );
}

const compatible = (url: string) => openCompatible({ baseUrl: url });
const openai = (url: string) => openOpenAi({ baseUrl: url, apiKey: canaryKey, api: 'chat' });

describe('chat completions, as servers that copy them write them', () => {
  it('makes ids of calls where the server gives none, or gives those of earlier answers again', async () => {
    const call = (index: number, id?: string) => ({
      choices: [
        { delta: { tool_calls: [{ index, ...(id ? { id } : {}), function: { name: 'read', arguments: '{}' } }] } },
      ],
    });
    const messages: LlmRequestInput['messages'] = [
      { role: 'user', content: [{ type: 'text', text: 'Hi' }] },
      { role: 'assistant', content: [{ type: 'tool-call', id: 'call_0', name: 'read', arguments: {} }] },
      { role: 'tool', content: [{ type: 'tool-result', callId: 'call_0', name: 'read', content: [] }] },
    ];
    const response = await answer([call(0, 'call_0'), call(1), stop], { messages });
    const ids = response.message.content.map((part) => (part.type === 'tool-call' ? part.id : ''));
    assert.equal(new Set(['call_0', '', ...ids]).size, 4);
  });

  it('tells calls apart that all have the index 0, and goes on with calls without an index', async () => {
    const piece = (call: object) => ({ choices: [{ delta: { tool_calls: [call] } }] });
    const sameIndex = await answer([
      piece({ index: 0, id: 'a', function: { name: 'one', arguments: '{"x":' } }),
      piece({ index: 0, function: { arguments: '1}' } }),
      piece({ index: 0, id: 'b', function: { name: 'two', arguments: '{}' } }),
      stop,
    ]);
    const noIndex = await answer([
      piece({ id: 'a', function: { name: 'one', arguments: '{"x"' } }),
      piece({ function: { arguments: ':1}' } }),
      piece({ id: 'b', function: { name: 'two', arguments: '{}' } }),
      stop,
    ]);
    for (const { message, stopReason } of [sameIndex, noIndex]) {
      assert.deepEqual(message.content, [
        { type: 'tool-call', id: 'a', name: 'one', arguments: { x: 1 } },
        { type: 'tool-call', id: 'b', name: 'two', arguments: {} },
      ]);
      assert.equal(stopReason, 'tool-calls');
    }
  });

  it('keeps arguments that are no JSON as text, and wraps them when they go back', async () => {
    const cut = {
      choices: [
        {
          delta: { tool_calls: [{ index: 0, id: 'a', function: { name: 'write', arguments: '{"text":"half' } }] },
          finish_reason: 'length',
        },
      ],
    };
    const { message, stopReason } = await answer([cut]);
    assert.deepEqual(message.content, [{ type: 'tool-call', id: 'a', name: 'write', arguments: '{"text":"half' }]);
    assert.equal(stopReason, 'max-tokens');
    const body = await sent(
      compatible,
      request('m', [{ role: 'user', content: [{ type: 'text', text: 'Hi' }] }, message]),
    );
    const [, { tool_calls: calls }] = body['messages'] as [
      unknown,
      { tool_calls: [{ function: { arguments: string } }] },
    ];
    assert.deepEqual(JSON.parse(calls[0].function.arguments), { unreadable_arguments: '{"text":"half' });
  });

  it('gives reasoning back byte for byte within the turn, and not to the turns after it', async () => {
    const thought = 'First…\n\tthen "that" \u2028 é 😀';
    const { message } = await answer([
      { choices: [{ delta: { reasoning_content: thought.slice(0, 7) } }] },
      { choices: [{ delta: { reasoning_content: thought.slice(7) } }] },
      { choices: [{ delta: { content: 'Done.' }, finish_reason: 'stop' }] },
    ]);
    assert.deepEqual(message.content[0], {
      type: 'thinking',
      text: thought,
      opaque: { provider: 'compatible', data: { reasoning_content: thought } },
    });
    const user = { role: 'user' as const, content: [{ type: 'text' as const, text: 'Go on' }] };
    const fields = async (messages: LlmRequestInput['messages']) => {
      const body = await sent(compatible, request('m', messages));
      return (body['messages'] as Record<string, unknown>[])[1]?.['reasoning_content'];
    };
    assert.equal(await fields([user, message]), thought);
    assert.equal(await fields([user, message, user]), undefined);
  });

  it('shows reasoning to the provider alone that gave it', async () => {
    const opaque = { provider: 'deepseek', data: { reasoning_content: 'secret plan' } };
    const message = {
      role: 'assistant' as const,
      content: [
        { type: 'thinking' as const, text: 'secret plan', opaque },
        { type: 'text' as const, text: 'Yes.' },
      ],
    };
    const body = await sent(
      compatible,
      request('m', [{ role: 'user', content: [{ type: 'text', text: 'Hi' }] }, message]),
    );
    assert.ok(!JSON.stringify(body).includes('secret plan'));
  });

  it('does without usage, ids, models and final words', async () => {
    const response = await answer([{ choices: [{ delta: { content: 'Hi' } }] }, stop]);
    assert.deepEqual(response.usage, { input: 0, output: 0, thinking: 0, cacheRead: 0, cacheWrite: 0 });
    assert.deepEqual([response.id, response.model, textOf(response)], ['', 'm', 'Hi']);
  });

  it('counts what came from the cache and what was thought', async () => {
    const usage = {
      prompt_tokens: 100,
      completion_tokens: 50,
      total_tokens: 150,
      prompt_tokens_details: { cached_tokens: 80 },
      completion_tokens_details: { reasoning_tokens: 40 },
    };
    const { usage: counted } = await answer([stop, { choices: [], usage }, done]);
    assert.deepEqual(counted, { input: 100, output: 50, thinking: 40, cacheRead: 80, cacheWrite: 0 });
  });

  it('takes an answer in one piece from servers that cannot stream', async () => {
    await withContractServer(
      (received, response) => {
        assert.equal((received.body as { stream?: boolean }).stream, undefined);
        const call = { id: 'call_0', function: { name: 'read', arguments: { path: 'a' } } };
        sendJson(response, 200, {
          choices: [
            { message: { content: [{ type: 'text', text: 'Hm.' }], tool_calls: [call, call] }, finish_reason: 'stop' },
          ],
        });
      },
      async ({ url }) => {
        const { message } = await openCompatible({ baseUrl: url, streams: false }).generate(request('m', 'Hi'));
        const [text, one, two] = message.content;
        assert.deepEqual(text, { type: 'text', text: 'Hm.' });
        assert.ok(one?.type === 'tool-call' && two?.type === 'tool-call' && one.id !== two.id);
        assert.deepEqual(two.arguments, { path: 'a' });
      },
    );
  });

  it('knows a refusal, a filter, a stop sequence and the end of the context', async () => {
    const reasons = await Promise.all([
      answer([{ choices: [{ delta: { refusal: 'I cannot.' }, finish_reason: 'stop' }] }]),
      answer([{ choices: [{ delta: {}, finish_reason: 'content_filter' }] }]),
      answer([{ choices: [{ delta: { content: 'a' }, finish_reason: 'stop', stop_reason: 'END' }] }]),
      answer([
        { choices: [{ delta: {}, finish_reason: 'length', native_finish_reason: 'model_context_window_exceeded' }] },
      ]),
    ]);
    assert.deepEqual(
      reasons.map(({ stopReason }) => stopReason),
      ['refusal', 'refusal', 'stop-sequence', 'context'],
    );
    assert.equal(textOf(reasons[0]), 'I cannot.');
  });

  const failures: { what: string; chunks: (object | string)[]; code: Parameters<typeof failure>[0] }[] = [
    { what: 'a line that is no JSON', chunks: ['data: {"choices": [\n\n'], code: 'llm.malformed-answer' },
    {
      what: 'an end without a finish',
      chunks: [{ choices: [{ delta: { content: 'Hal' } }] }],
      code: 'llm.unavailable',
    },
    {
      what: 'a limit in the stream',
      chunks: [{ error: { code: 429, message: 'slow down' } }],
      code: 'llm.rate-limited',
    },
    {
      what: 'spent money in the stream',
      chunks: [{ error: { code: 'insufficient_quota', message: 'no' } }],
      code: 'llm.quota-exceeded',
    },
    {
      what: 'a failure in the stream',
      chunks: [{ error: { code: 502, message: `died ${canaryKey}` } }],
      code: 'llm.unavailable',
    },
    {
      what: 'too long a context in the stream',
      chunks: [{ error: { code: 'context_length_exceeded', message: 'long' } }],
      code: 'llm.context-exceeded',
    },
    {
      what: 'a call without a name',
      chunks: [{ choices: [{ delta: { tool_calls: [{ index: 0, id: 'a' }] } }] }, stop],
      code: 'llm.malformed-answer',
    },
  ];
  for (const { what, chunks, code } of failures) {
    it(`says ${code} for ${what}`, async () => {
      await failure(code, answer(chunks, {}, { apiKey: canaryKey }));
    });
  }

  it('says llm.quota-exceeded for a key without money, llm.context-exceeded for a prompt too long', async () => {
    const refusals = [
      { status: 429, code: 'insufficient_quota', expected: 'llm.quota-exceeded' },
      { status: 400, code: 'context_length_exceeded', expected: 'llm.context-exceeded' },
    ] as const;
    for (const { status, code, expected } of refusals) {
      await withContractServer(
        (_, response) =>
          sendJson(response, status, { error: { message: `Sorry ${canaryKey}.`, code } }, { 'retry-after': '7' }),
        async ({ url }) => {
          const error = await failure(expected, openai(url).generate(request('gpt-4.1', 'Hi')));
          assert.equal(error.details['retryAfterMs'], 7000);
        },
      );
    }
  });

  it('sends no key where there is none, and nothing of what OpenAI variables say', async () => {
    const variables = { OPENAI_API_KEY: canaryKey, OPENAI_ORG_ID: 'org-x', OPENAI_CUSTOM_HEADERS: 'x-canary: yes' };
    Object.assign(process.env, variables);
    try {
      await withContractServer(
        (_, response) => sendEvents(response, [stop]),
        async ({ url, requests }) => {
          await openCompatible({ baseUrl: url, headers: { 'x-own': 'yes' } }).generate(request('m', 'Hi'), {
            idempotencyKey: 'once',
          });
          const headers = requests[0]?.headers ?? {};
          assert.equal(headers['authorization'], undefined);
          assert.equal(headers['openai-organization'], undefined);
          assert.equal(headers['x-canary'], undefined);
          assert.deepEqual([headers['x-own'], headers['idempotency-key']], ['yes', 'once']);
        },
      );
    } finally {
      for (const name of Object.keys(variables)) delete process.env[name];
    }
  });

  it('says what is missing without an address', async () => {
    const error = await failure('llm.not-configured', openCompatible({}).generate(request('m', 'Hi')));
    assert.match(error.message, /base URL/);
  });

  it('lists models with the context that servers tell of in their own ways', async () => {
    const data = [
      { id: 'a', max_model_len: 4096 },
      { id: 'b', meta: { n_ctx: 8192 } },
      { id: 'c' },
      { object: 'no model' },
    ];
    await withContractServer(
      (_, response) => sendJson(response, 200, { object: 'list', data }),
      async ({ url }) => {
        const models = await openCompatible({ baseUrl: url, name: 'lab' }).getModels();
        assert.deepEqual(
          models.map(({ provider, id, contextTokens }) => [provider, id, contextTokens]),
          [
            ['lab', 'a', 4096],
            ['lab', 'b', 8192],
            ['lab', 'c', undefined],
          ],
        );
      },
    );
  });
});

describe('chat completions, as they are sent', () => {
  const png = 'iVBORw0KGgo=';
  const conversation: LlmRequestInput['messages'] = [
    {
      role: 'user',
      content: [
        { type: 'text', text: 'Look' },
        { type: 'image', mediaType: 'image/png', data: png },
      ],
    },
    {
      role: 'assistant',
      content: [
        { type: 'text', text: 'I look.' },
        { type: 'tool-call', id: 'a', name: 'shot', arguments: { of: 'page' } },
        { type: 'tool-call', id: 'b', name: 'run', arguments: {} },
      ],
    },
    {
      role: 'tool',
      content: [
        {
          type: 'tool-result',
          callId: 'a',
          name: 'shot',
          content: [{ type: 'image', mediaType: 'image/png', data: png }],
        },
        { type: 'tool-result', callId: 'b', name: 'run', isError: true, content: [{ type: 'text', text: 'exit 1' }] },
      ],
    },
  ];
  const image = { type: 'image_url', image_url: { url: `data:image/png;base64,${png}` } };

  it('puts images of results behind all results, in a message of the user', async () => {
    const body = await sent(openai, request('gpt-4.1', conversation, { system: 'Be brief.' }));
    assert.deepEqual(body['messages'], [
      { role: 'developer', content: 'Be brief.' },
      { role: 'user', content: [{ type: 'text', text: 'Look' }, image] },
      {
        role: 'assistant',
        content: 'I look.',
        tool_calls: [
          { id: 'a', type: 'function', function: { name: 'shot', arguments: '{"of":"page"}' } },
          { id: 'b', type: 'function', function: { name: 'run', arguments: '{}' } },
        ],
      },
      { role: 'tool', tool_call_id: 'a', content: '' },
      { role: 'tool', tool_call_id: 'b', content: 'Error: exit 1' },
      { role: 'user', content: [{ type: 'text', text: 'Images that shot (a) returned:' }, image] },
    ]);
  });

  it('asks for a strict schema where OpenAI takes it as one, and for an ordinary one otherwise', async () => {
    const strictness = async (schema: Record<string, never> | object) => {
      const asked = request('gpt-4.1', 'Hi', { responseSchema: schema as Record<string, never> });
      const { response_format: format } = await sent(openai, asked);
      return (format as { json_schema: { strict: boolean } }).json_schema.strict;
    };
    const closed = {
      type: 'object',
      properties: { a: { type: 'string' } },
      required: ['a'],
      additionalProperties: false,
    };
    assert.equal(await strictness(closed), true);
    assert.equal(await strictness({ ...closed, required: [] }), false);
    assert.equal(await strictness({ ...closed, properties: { a: { type: 'object', properties: {} } } }), false);
  });

  it('sends the choice of tools, limits and options, and no temperature to models that reason', async () => {
    const tools = [{ name: 'run', description: 'Runs.', parameters: { type: 'object' } }];
    const more = {
      tools,
      toolChoice: { tool: 'run' },
      maxTokens: 99,
      temperature: 0.5,
      stop: ['END'],
      providerOptions: { openai: { seed: 7, tools: [{ type: 'web' }] } },
    };
    const plain = await sent(openai, request('gpt-4.1', 'Hi', more));
    assert.deepEqual(plain['tool_choice'], { type: 'function', function: { name: 'run' } });
    assert.deepEqual(
      [plain['max_completion_tokens'], plain['temperature'], plain['stop'], plain['seed'], plain['reasoning_effort']],
      [99, 0.5, ['END'], 7, undefined],
    );
    assert.equal((plain['tools'] as unknown[]).length, 2);
    const reasoning = await sent(openai, request('gpt-5', 'Hi', { ...more, thinking: { mode: 'on', effort: 'high' } }));
    assert.deepEqual([reasoning['temperature'], reasoning['reasoning_effort']], [undefined, 'high']);
  });

  it('gives the calls of one conversation one cache key, others another, and none when caching is not wanted', async () => {
    const key = async (more: Partial<LlmRequestInput>, prompt: LlmRequestInput['messages'] | string) =>
      (await sent(openai, request('gpt-4.1', prompt, more)))['prompt_cache_key'];
    const [first] = conversation;
    assert.equal(await key({ system: 'A' }, conversation), await key({ system: 'A' }, first ? [first] : []));
    assert.notEqual(await key({ system: 'A' }, conversation), await key({ system: 'B' }, conversation));
    assert.equal(await key({ cache: false }, 'Hi'), undefined);
  });
});
