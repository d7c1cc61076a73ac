import assert from 'node:assert/strict';
import type { LlmRequestInput, Message } from '../../contracts/llm.ts';
import { openOpenAi } from '../../llm/providers/openai/provider.ts';
import { sendEvents, withContractServer } from './support/contract-server.ts';
import { answerOf, canaryKey, collect, failure, request, textOf } from './support/requests.ts';

type Item = Record<string, unknown>;

// As OpenAI gives it, with signs whose order or escapes a careless copy would change.
const reasoning: Item = {
  id: 'rs_1',
  type: 'reasoning',
  summary: [
    { type: 'summary_text', text: '**Plan**\n\nLook first.' },
    { type: 'summary_text', text: 'Then act \u2028 é.' },
  ],
  encrypted_content: 'gAAAAABo+/==\u0001',
  zeta: null,
  alpha: [1.5, { b: 1, a: 2 }],
};
const message = (text: string, more: Item = {}): Item => ({
  id: 'msg_1',
  type: 'message',
  role: 'assistant',
  status: 'completed',
  content: [{ type: 'output_text', text, annotations: [] }],
  ...more,
});
const call: Item = {
  id: 'fc_1',
  type: 'function_call',
  call_id: 'call_1',
  name: 'read',
  arguments: '{"path":"a"}',
  status: 'completed',
};
const usage = {
  input_tokens: 100,
  input_tokens_details: { cached_tokens: 60, cache_write_tokens: 30 },
  output_tokens: 50,
  output_tokens_details: { reasoning_tokens: 40 },
};
const completed = (output: Item[], more: Item = {}): Item => ({
  type: 'response.completed',
  response: { id: 'resp_1', model: 'gpt-5-2025-08-07', status: 'completed', output, usage, ...more },
});

function inputOf(body: Item | undefined): Item[] {
  return (body?.['input'] ?? []) as Item[];
}

/** What one conversation of calls is understood as, and the bodies that were sent. */
async function converse(
  answers: readonly (object | string)[][],
  asked: LlmRequestInput['messages'] | string = 'Hi',
  more: Partial<LlmRequestInput> & { model?: string } = {},
) {
  const sent: Item[] = [];
  return withContractServer(
    (received, response) => {
      assert.equal(received.path, '/responses');
      sendEvents(response, answers[sent.length] ?? []);
      sent.push(received.body as Item);
    },
    async ({ url }) => {
      const provider = openOpenAi({ baseUrl: url, apiKey: canaryKey, api: 'responses' });
      let messages = request('m', asked).messages;
      const all = [];
      for (const _ of answers) {
        const events = await collect(provider.generateStream(request(more.model ?? 'gpt-5', messages, more)));
        all.push(events);
        messages = [...messages, answerOf(events).message, { role: 'user', content: [{ type: 'text', text: 'On' }] }];
      }
      return { events: all, bodies: sent };
    },
  );
}

describe('the Responses API', () => {
  it('gives reasoning items back byte for byte and in their place, and stores nothing', async () => {
    const { events, bodies } = await converse([
      [completed([reasoning, message('I read.'), call])],
      [completed([message('Done.')])],
    ]);
    const [first, second] = bodies;
    assert.ok(events[0]);
    assert.deepEqual(
      answerOf(events[0]).message.content.map((part) => [part.type, part.type === 'tool-call' ? part.id : part.text]),
      [
        ['thinking', '**Plan**\n\nLook first.\n\nThen act \u2028 é.'],
        ['text', 'I read.'],
        ['tool-call', 'call_1'],
      ],
    );
    assert.equal(first?.['store'], false);
    assert.deepEqual(first['include'], ['reasoning.encrypted_content']);
    const input = second?.['input'] as Item[];
    assert.equal(JSON.stringify(input[1]), JSON.stringify(reasoning));
    assert.deepEqual(input.slice(2, 4), [
      { role: 'assistant', content: 'I read.' },
      { type: 'function_call', call_id: 'call_1', name: 'read', arguments: '{"path":"a"}' },
    ]);
  });

  it('gives back what it does not know, and the phase of messages', async () => {
    const search = { id: 'ws_1', type: 'web_search_call', status: 'completed', action: { type: 'search', query: 'x' } };
    const { bodies } = await converse([
      [completed([search, message('Found.', { phase: 'commentary' })])],
      [completed([])],
    ]);
    assert.deepEqual(inputOf(bodies[1]).slice(1, 3), [
      search,
      { role: 'assistant', content: 'Found.', phase: 'commentary' },
    ]);
  });

  it('leaves out a reasoning item that nothing follows, as of an answer that was cut', async () => {
    const cut = {
      type: 'response.incomplete',
      response: { status: 'incomplete', incomplete_details: { reason: 'max_output_tokens' }, output: [reasoning] },
    };
    const { events, bodies } = await converse([[cut], [completed([])]]);
    assert.ok(events[0]);
    assert.equal(answerOf(events[0]).stopReason, 'max-tokens');
    assert.deepEqual(
      inputOf(bodies[1]).map((item) => item['role']),
      ['user', 'user'],
    );
  });

  it('gives nothing of its reasoning to another provider, nor takes that of another', async () => {
    const foreign: Message = {
      role: 'assistant',
      content: [
        {
          type: 'thinking',
          text: 'signed',
          opaque: { provider: 'anthropic', data: { type: 'reasoning', signature: 'x' } },
        },
        {
          type: 'thinking',
          text: 'chat',
          opaque: { provider: 'openai', data: { reasoning_content: 'of chat completions' } },
        },
        { type: 'text', text: 'Yes.' },
      ],
    };
    const { bodies } = await converse([[completed([])]], [...request('m', 'Hi').messages, foreign]);
    assert.deepEqual(inputOf(bodies[0]).slice(1), [{ role: 'assistant', content: 'Yes.' }]);
  });

  it('streams summaries, text and arguments as they come', async () => {
    const { events } = await converse([
      [
        { type: 'response.created', response: { id: 'resp_1' } },
        { type: 'response.reasoning_summary_part.added', output_index: 0, summary_index: 0 },
        { type: 'response.reasoning_summary_text.delta', output_index: 0, delta: 'One.' },
        { type: 'response.reasoning_summary_part.added', output_index: 0, summary_index: 1 },
        { type: 'response.reasoning_summary_text.delta', output_index: 0, delta: 'Two.' },
        { type: 'response.output_item.done', output_index: 0, item: reasoning },
        { type: 'response.output_text.delta', output_index: 1, delta: 'I ' },
        { type: 'response.output_text.delta', output_index: 1, delta: 'read.' },
        { type: 'response.output_item.done', output_index: 1, item: message('I read.') },
        { type: 'response.output_item.added', output_index: 2, item: { ...call, arguments: '' } },
        { type: 'response.function_call_arguments.delta', output_index: 2, delta: '{"path":' },
        { type: 'response.function_call_arguments.delta', output_index: 2, delta: '"a"}' },
        { type: 'response.output_item.done', output_index: 2, item: call },
        // Some servers leave the output out here.
        completed([]),
      ],
    ]);
    assert.deepEqual(events[0]?.slice(0, -1), [
      { type: 'thinking', text: 'One.' },
      { type: 'thinking', text: '\n\n' },
      { type: 'thinking', text: 'Two.' },
      { type: 'text', text: 'I ' },
      { type: 'text', text: 'read.' },
      { type: 'tool-call', id: 'call_1', name: 'read' },
      { type: 'tool-arguments', id: 'call_1', text: '{"path":' },
      { type: 'tool-arguments', id: 'call_1', text: '"a"}' },
    ]);
    const { stopReason, usage: counted, message: whole, model, id } = answerOf(events[0] ?? []);
    assert.equal(whole.content.length, 3);
    assert.deepEqual([stopReason, model, id], ['tool-calls', 'gpt-5-2025-08-07', 'resp_1']);
    assert.deepEqual(counted, { input: 100, output: 50, thinking: 40, cacheRead: 60, cacheWrite: 30 });
  });

  it('knows a refusal, a filter and arguments that were cut', async () => {
    const refusal = completed([message('', { content: [{ type: 'refusal', refusal: 'I cannot.' }] })]);
    const filter = {
      type: 'response.incomplete',
      response: { status: 'incomplete', incomplete_details: { reason: 'content_filter' }, output: [] },
    };
    const cut = {
      type: 'response.incomplete',
      response: {
        status: 'incomplete',
        incomplete_details: { reason: 'max_output_tokens' },
        output: [{ ...call, arguments: '{"path":"a' }],
      },
    };
    const answers = await Promise.all(
      [refusal, filter, cut].map(async (event) => answerOf((await converse([[event]])).events[0] ?? [])),
    );
    assert.deepEqual(
      answers.map(({ stopReason }) => stopReason),
      ['refusal', 'refusal', 'max-tokens'],
    );
    assert.ok(answers[0] && answers[2]);
    assert.equal(textOf(answers[0]), 'I cannot.');
    const [part] = answers[2].message.content;
    assert.equal(part?.type === 'tool-call' && part.arguments, '{"path":"a');
  });

  const failed = (code: string): Item => ({
    type: 'response.failed',
    response: { status: 'failed', error: { code, message: `Sorry ${canaryKey}` } },
  });
  const failures: [string, (object | string)[], Parameters<typeof failure>[0]][] = [
    ['a failure of the server', [failed('server_error')], 'llm.unavailable'],
    ['a limit', [failed('rate_limit_exceeded')], 'llm.rate-limited'],
    ['spent money', [failed('insufficient_quota')], 'llm.quota-exceeded'],
    ['a prompt against the rules', [failed('invalid_prompt')], 'llm.invalid-request'],
    ['too long a context', [failed('context_length_exceeded')], 'llm.context-exceeded'],
    ['an event of an error', [{ type: 'error', code: 'server_error', message: 'died' }], 'llm.unavailable'],
    ['an end without an end', [{ type: 'response.output_text.delta', delta: 'Hal' }], 'llm.unavailable'],
    ['a line that is no JSON', ['data: {"type":\n\n'], 'llm.malformed-answer'],
  ];
  for (const [what, events, code] of failures) {
    it(`says ${code} for ${what}`, async () => {
      await failure(code, converse([events]));
    });
  }

  it('sends tools, schema, images and effort as the API takes them', async () => {
    const png = 'iVBORw0KGgo=';
    const image = { type: 'image' as const, mediaType: 'image/png' as const, data: png };
    const { bodies } = await converse(
      [[completed([])]],
      [
        { role: 'user', content: [{ type: 'text', text: 'Look' }, image] },
        { role: 'assistant', content: [{ type: 'tool-call', id: 'a', name: 'shot', arguments: 'no json' }] },
        {
          role: 'tool',
          content: [
            { type: 'tool-result', callId: 'a', name: 'shot', content: [{ type: 'text', text: 'Seen' }, image] },
          ],
        },
      ],
      {
        system: 'Be brief.',
        maxTokens: 500,
        temperature: 1,
        tools: [{ name: 'shot', description: 'Shoots.', parameters: { type: 'object' } }],
        toolChoice: 'required',
        thinking: { mode: 'on', effort: 'low' },
        responseSchema: { type: 'object', properties: {} },
        providerOptions: { openai: { service_tier: 'flex', include: ['web_search_call.results'] } },
      },
    );
    const { input, prompt_cache_key: key, ...body } = bodies[0] ?? {};
    assert.match(String(key), /^helix-[0-9a-f]{32}$/);
    const wire = { type: 'input_image', image_url: `data:image/png;base64,${png}`, detail: 'auto' };
    assert.deepEqual(input, [
      { role: 'user', content: [{ type: 'input_text', text: 'Look' }, wire] },
      { type: 'function_call', call_id: 'a', name: 'shot', arguments: 'no json' },
      { type: 'function_call_output', call_id: 'a', output: [{ type: 'input_text', text: 'Seen' }, wire] },
    ]);
    assert.deepEqual(body, {
      model: 'gpt-5',
      instructions: 'Be brief.',
      tools: [
        { type: 'function', name: 'shot', description: 'Shoots.', parameters: { type: 'object' }, strict: false },
      ],
      tool_choice: 'required',
      max_output_tokens: 500,
      text: {
        format: { type: 'json_schema', name: 'answer', schema: { type: 'object', properties: {} }, strict: false },
      },
      store: false,
      reasoning: { effort: 'low', summary: 'auto' },
      include: ['reasoning.encrypted_content', 'web_search_call.results'],
      service_tier: 'flex',
      stream: true,
    });
  });

  it('says no to thinking as far as each model can be told', async () => {
    const efforts = await Promise.all(
      ['gpt-5', 'gpt-5.1', 'gpt-5-codex', 'gpt-5-pro', 'o4-mini', 'gpt-4.1'].map(async (model) => {
        const { bodies } = await converse([[completed([])]], 'Hi', { model, thinking: { mode: 'off' } });
        return (bodies[0]?.['reasoning'] as { effort?: string } | undefined)?.effort;
      }),
    );
    assert.deepEqual(efforts, ['minimal', 'none', 'low', undefined, 'low', undefined]);
  });

  it('refuses stop sequences, which it does not know', async () => {
    const error = await failure('llm.unsupported', converse([[]], 'Hi', { stop: ['END'] }));
    assert.match(error.message, /stop sequences/);
  });
});

describe('openai, left to itself', () => {
  it('speaks chat completions at addresses that are not its own', async () => {
    await withContractServer(
      (_, response) => sendEvents(response, [{ choices: [{ delta: {}, finish_reason: 'stop' }] }]),
      async ({ url, requests }) => {
        await openOpenAi({ baseUrl: url, apiKey: canaryKey }).generate(request('gpt-5', 'Hi'));
        assert.equal(requests[0]?.path, '/chat/completions');
      },
    );
  });
});
