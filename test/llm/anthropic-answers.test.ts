import assert from 'node:assert/strict';
import type { LlmRequestInput, LlmResponse, LlmStreamEvent } from '../../contracts/llm.ts';
import { openAnthropic } from '../../llm/providers/anthropic/provider.ts';
import { sendEvents, sendJson, withContractServer } from './support/contract-server.ts';
import { answerOf, canaryKey, collect, failure, request, textOf } from './support/requests.ts';

const start = (usage: object = { input_tokens: 10, output_tokens: 1 }): object => ({
  type: 'message_start',
  message: { id: 'msg_1', model: 'claude-haiku-4-5-20251001', role: 'assistant', content: [], usage },
});
const block = (index: number, content_block: object, ...deltas: object[]): object[] => [
  { type: 'content_block_start', index, content_block },
  ...deltas.map((delta) => ({ type: 'content_block_delta', index, delta })),
  { type: 'content_block_stop', index },
];
const end = (stop_reason: string, usage: object = { output_tokens: 5 }, more: object = {}): object[] => [
  { type: 'message_delta', delta: { stop_reason, stop_sequence: null, ...more }, usage },
  { type: 'message_stop' },
];

async function ask(
  events: (object | string)[],
  more: Partial<LlmRequestInput> = {},
  model: string = 'claude-haiku-4-5',
): Promise<{ events: LlmStreamEvent[]; response: LlmResponse }> {
  return withContractServer(
    (_, response) => sendEvents(response, events),
    async ({ url }) => {
      const shown = await collect(
        openAnthropic({ apiKey: canaryKey, baseUrl: url }).generateStream(request(model, 'Hi', more)),
      );
      return { events: shown, response: answerOf(shown) };
    },
  );
}

const refused = (events: (object | string)[], end: 'close' | 'cut' = 'close'): Promise<unknown> =>
  withContractServer(
    (_, response) => sendEvents(response, events, end),
    ({ url }) => openAnthropic({ apiKey: canaryKey, baseUrl: url }).generate(request('claude-haiku-4-5', 'Hi')),
  );

describe('answers of anthropic', () => {
  it('give thinking, its signature and what is encrypted back byte for byte and in order', async () => {
    const signature = 'EqQBCgIYAhIkMGZ+/=="\\\u00e9\u2028-1';
    const thought = 'First – “this”,\n\tthen that. \u{1F914}';
    const answer = [
      start(),
      ...block(
        0,
        { type: 'thinking', thinking: '', signature: '' },
        { type: 'thinking_delta', thinking: thought.slice(0, 9) },
        { type: 'thinking_delta', thinking: thought.slice(9) },
        { type: 'signature_delta', signature },
      ),
      ...block(1, { type: 'redacted_thinking', data: 'EmwKAhgBEgy3va3pzix/LafPsn4=' }),
      ...block(2, { type: 'text', text: '' }, { type: 'text_delta', text: 'Reading.' }),
      ...block(
        3,
        { type: 'tool_use', id: 'toolu_1', name: 'look', input: {} },
        { type: 'input_json_delta', partial_json: '{"at":' },
        { type: 'input_json_delta', partial_json: '"a.ts"}' },
      ),
      ...end('tool_use'),
    ];
    await withContractServer(
      (_, response) => sendEvents(response, answer),
      async ({ url, requests }) => {
        const provider = openAnthropic({ apiKey: canaryKey, baseUrl: url });
        const asked = request('claude-haiku-4-5', 'Hi', { thinking: { mode: 'on' }, cache: false });
        const first = await provider.generate(asked);
        assert.equal(first.stopReason, 'tool-calls');
        // As it is after a stay in a store.
        const stored = JSON.parse(JSON.stringify(first.message)) as typeof first.message;
        const result = { type: 'tool-result' as const, callId: 'toolu_1', name: 'look', content: [], isError: false };
        const messages = [...asked.messages, stored, { role: 'tool' as const, content: [result] }];
        await provider.generate(request('claude-haiku-4-5', messages, { thinking: { mode: 'on' }, cache: false }));
        const { messages: sent, thinking } = requests[1]!.body as {
          messages: { content: unknown }[];
          thinking: unknown;
        };
        assert.deepEqual(sent[1]?.content, [
          { type: 'thinking', thinking: thought, signature },
          { type: 'redacted_thinking', data: 'EmwKAhgBEgy3va3pzix/LafPsn4=' },
          { type: 'text', text: 'Reading.' },
          { type: 'tool_use', id: 'toolu_1', name: 'look', input: { at: 'a.ts' } },
        ]);
        assert.ok(requests[1]?.raw.includes(JSON.stringify(signature)));
        assert.deepEqual(thinking, { type: 'enabled', budget_tokens: 25_600 });
        // Another model is not shown what this one signed.
        await provider.generate(request('claude-opus-5-5', messages, { cache: false }));
        assert.ok(!requests[2]?.raw.includes(JSON.stringify(signature)));
      },
    );
  });

  it('count the prompt with what was read from and written to the cache', async () => {
    const usage = { input_tokens: 10, cache_read_input_tokens: 300, cache_creation_input_tokens: 20, output_tokens: 1 };
    const { response } = await ask([
      start(usage),
      ...block(0, { type: 'text', text: 'Hi' }),
      ...end('end_turn', { output_tokens: 50, input_tokens: null, output_tokens_details: { thinking_tokens: 30 } }),
    ]);
    assert.deepEqual(response.usage, { input: 330, output: 50, thinking: 30, cacheRead: 300, cacheWrite: 20 });
    assert.equal(response.model, 'claude-haiku-4-5-20251001');
    assert.equal(response.id, 'msg_1');
  });

  for (const [said, meant] of [
    ['max_tokens', 'max-tokens'],
    ['stop_sequence', 'stop-sequence'],
    ['model_context_window_exceeded', 'context'],
    ['end_turn', 'end'],
  ] as const) {
    it(`that stop for ${said} say ${meant}`, async () => {
      const { response } = await ask([start(), ...block(0, { type: 'text', text: 'Hi' }), ...end(said)]);
      assert.equal(response.stopReason, meant);
    });
  }

  it('that are refused say so, with the reason given', async () => {
    const details = { stop_details: { type: 'refusal', category: 'cyber', explanation: 'This may harm.' } };
    const { response } = await ask([start(), ...end('refusal', { output_tokens: 0 }, details)]);
    assert.equal(response.stopReason, 'refusal');
    assert.equal(textOf(response), 'This may harm.');
  });

  it('may be empty where the model had nothing more to say', async () => {
    const { response } = await ask([start(), ...end('end_turn')]);
    assert.deepEqual([response.message.content, response.stopReason], [[], 'end']);
  });

  it('keep arguments that are no JSON as they were written', async () => {
    const { response } = await ask([
      start(),
      ...block(
        0,
        { type: 'tool_use', id: 't1', name: 'look', input: {} },
        { type: 'input_json_delta', partial_json: '{"at": a.ts' },
      ),
      ...block(1, { type: 'tool_use', id: 't2', name: 'look', input: {} }),
      ...end('tool_use'),
    ]);
    const calls = response.message.content.map((part) => (part.type === 'tool-call' ? part.arguments : undefined));
    assert.deepEqual(calls, ['{"at": a.ts', {}]);
  });

  it('come as text where a model without output formats is made to call a tool with the schema', async () => {
    const responseSchema = { type: 'object', properties: { age: { type: 'integer' } } };
    const answer = [
      start(),
      ...block(
        0,
        { type: 'tool_use', id: 't1', name: 'answer', input: {} },
        { type: 'input_json_delta', partial_json: '{"age"' },
        { type: 'input_json_delta', partial_json: ': 3}' },
      ),
      ...end('tool_use'),
    ];
    const { events, response } = await ask(answer, { responseSchema }, 'claude-3-5-sonnet-20241022');
    assert.deepEqual(JSON.parse(textOf(response)), { age: 3 });
    assert.equal(response.stopReason, 'end');
    assert.deepEqual(
      events.map(({ type }) => type),
      ['text', 'text', 'finish'],
    );
  });

  it('pass over events that are newer than this code', async () => {
    const { response } = await ask([
      start(),
      { type: 'ping' },
      { type: 'content_block_nudge', index: 0 },
      ...block(0, { type: 'hologram', light: 'blue' }),
      ...block(1, { type: 'text', text: 'Hi' }, { type: 'sparkle_delta', glitter: 1 }),
      ...end('end_turn'),
    ]);
    assert.equal(textOf(response), 'Hi');
  });

  it('fail as the error in the stream says', async () => {
    const error = (type: string): object => ({ type: 'error', error: { type, message: `no, ${canaryKey}` } });
    await failure('llm.overloaded', refused([start(), error('overloaded_error')]));
    await failure('llm.rate-limited', refused([start(), error('rate_limit_error')]));
    await failure('llm.unavailable', refused([start(), error('api_error')]));
    await failure('llm.malformed-answer', refused([start(), error('unheard_of')]));
  });

  it('fail when they break off, cleanly or not, or cannot be read', async () => {
    const begun = [start(), ...block(0, { type: 'text', text: 'Hi' })];
    await failure('llm.unavailable', refused(begun));
    await failure('llm.unavailable', refused(begun, 'cut'));
    await failure(
      'llm.malformed-answer',
      refused([start(), 'event: content_block_start\ndata: {"type": "content\n\n']),
    );
  });

  it('tell too long a prompt and an empty purse from other refusals', async () => {
    const answering = (status: number, message: string, type: string): Promise<unknown> =>
      withContractServer(
        (_, response) =>
          sendJson(
            response,
            status,
            { type: 'error', error: { type, message }, request_id: 'req_1' },
            { 'request-id': 'req_1' },
          ),
        ({ url }) => openAnthropic({ apiKey: canaryKey, baseUrl: url }).generate(request('claude-haiku-4-5', 'Hi')),
      );
    const long = await failure(
      'llm.context-exceeded',
      answering(400, 'prompt is too long: 210000 tokens > 200000 maximum', 'invalid_request_error'),
    );
    assert.equal(long.details['requestId'], 'req_1');
    await failure(
      'llm.quota-exceeded',
      answering(400, 'Your credit balance is too low to access the Anthropic API.', 'invalid_request_error'),
    );
    await failure('llm.invalid-request', answering(400, 'messages: roles must alternate', 'invalid_request_error'));
  });

  it('list models with what the API and the catalog know of them', async () => {
    const has = (supported: boolean): object => ({ supported });
    const listed = {
      id: 'claude-haiku-4-5-20251001',
      display_name: 'Claude Haiku 4.5',
      type: 'model',
      max_input_tokens: 200_000,
      max_tokens: 64_000,
      capabilities: { image_input: has(true), thinking: has(true), structured_outputs: has(true) },
    };
    await withContractServer(
      (_, response) =>
        sendJson(response, 200, { data: [listed], has_more: false, first_id: listed.id, last_id: listed.id }),
      async ({ url }) => {
        const provider = openAnthropic({ apiKey: canaryKey, baseUrl: url });
        const [model] = await provider.getModels();
        assert.equal(model?.id, listed.id);
        assert.deepEqual([model?.contextTokens, model?.maxOutputTokens, model?.vision], [200_000, 64_000, true]);
        assert.equal(model?.price?.input, 1);
        assert.equal(await provider.isAvailable(), true);
      },
    );
  });
});
