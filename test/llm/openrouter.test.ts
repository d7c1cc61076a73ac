import assert from 'node:assert/strict';
import type { Fixture } from '@copilotkit/aimock';
import { openOpenRouter } from '../../llm/providers/openrouter/provider.ts';
import { behavesAsProvider } from './support/behaviour.ts';
import { sendEvents, sendJson, withContractServer } from './support/contract-server.ts';
import { withMock } from './support/mock.ts';
import { canaryKey, request } from './support/requests.ts';

describe('openrouter, against a scripted server', () => {
  behavesAsProvider({
    model: 'openai/gpt-5-mini',
    path: '/chat/completions',
    open: (settings, url) => openOpenRouter({ ...settings, baseUrl: `${url}/api/v1` }),
  });
});

describe('openrouter', () => {
  it('passes on preferences and fallbacks, names the program, and reports what the call cost', async () => {
    const fixtures: Fixture[] = [
      { match: { model: 'a/down' }, response: { error: { message: 'down' }, status: 503 } },
      {
        match: { model: 'b/up' },
        response: {
          content: 'Hi',
          usage: {
            prompt_tokens: 10,
            completion_tokens: 5,
            cost: 0.0025,
            prompt_tokens_details: { cached_tokens: 4 },
            completion_tokens_details: { reasoning_tokens: 3 },
          },
        },
      },
    ];
    await withMock(fixtures, async ({ url, journal }) => {
      const options = { models: ['b/up'], provider: { sort: 'price', data_collection: 'deny' } };
      const provider = openOpenRouter({ baseUrl: `${url}/api/v1`, apiKey: canaryKey, referer: 'https://example.org' });
      const response = await provider.generate(request('a/down', 'Hi', { providerOptions: { openrouter: options } }));
      assert.equal(response.model, 'b/up');
      assert.deepEqual(response.usage, {
        input: 10,
        output: 5,
        thinking: 3,
        cacheRead: 4,
        cacheWrite: 0,
        reportedCost: 0.0025,
      });
      const [entry] = journal();
      const body = entry?.body as Record<string, unknown> | undefined;
      assert.deepEqual(body?.['provider'], options.provider);
      assert.deepEqual(body['usage'], { include: true });
      assert.equal(entry?.headers['x-title'], 'HelixCode');
      assert.equal(entry.headers['http-referer'], 'https://example.org');
    });
  });

  it('gives reasoning details back byte for byte, put together from their pieces', async () => {
    const detail = (more: object) => ({ choices: [{ delta: { reasoning_details: [more] } }] });
    const encrypted = {
      type: 'reasoning.encrypted',
      index: 1,
      data: 'gAAA+/==',
      id: 'rs_1',
      format: 'openai-responses-v1',
    };
    const chunks = [
      {
        choices: [
          {
            delta: {
              reasoning: 'Let ',
              reasoning_details: [{ type: 'reasoning.text', index: 0, text: 'Let ', format: 'x', signature: null }],
            },
          },
        ],
      },
      {
        choices: [
          { delta: { reasoning: 'me.', reasoning_details: [{ type: 'reasoning.text', index: 0, text: 'me.' }] } },
        ],
      },
      detail({ type: 'reasoning.text', index: 0, signature: 'sig+/==' }),
      detail(encrypted),
      { choices: [{ delta: { content: 'Yes.' }, finish_reason: 'stop' }] },
    ];
    await withContractServer(
      (_, response) => sendEvents(response, [': OPENROUTER PROCESSING\n\n', ...chunks]),
      async ({ url, requests }) => {
        const provider = openOpenRouter({ baseUrl: url, apiKey: canaryKey });
        const asked = request('openai/gpt-5', 'Hi');
        const { message } = await provider.generate(asked);
        assert.equal(message.content[0]?.type === 'thinking' && message.content[0].text, 'Let me.');
        await provider.generate(request('openai/gpt-5', [...asked.messages, message, ...asked.messages]));
        const [, back] = (requests[1]?.body as { messages: Record<string, unknown>[] } | undefined)?.messages ?? [];
        assert.equal(back?.['reasoning'], 'Let me.');
        assert.equal(
          JSON.stringify(back['reasoning_details']),
          JSON.stringify([
            { type: 'reasoning.text', index: 0, text: 'Let me.', format: 'x', signature: 'sig+/==' },
            encrypted,
          ]),
        );
      },
    );
  });

  it('marks what Anthropic models may cache, and asks for reasoning as it is wished', async () => {
    await withContractServer(
      (_, response) => sendEvents(response, [{ choices: [{ delta: {}, finish_reason: 'stop' }] }]),
      async ({ url, requests }) => {
        const provider = openOpenRouter({ baseUrl: url, apiKey: canaryKey });
        const wishes = [
          { mode: 'on', effort: 'low' },
          { mode: 'on', budgetTokens: 4000 },
          { mode: 'off' },
          {},
        ] as const;
        for (const thinking of wishes) {
          await provider.generate(request('anthropic/claude-sonnet-4.5', 'Hi', { system: 'Be brief.', thinking }));
        }
        const bodies = requests.map(({ body }) => body as Record<string, unknown>);
        assert.deepEqual(
          bodies.map((body) => body['reasoning']),
          [{ effort: 'low' }, { max_tokens: 4000 }, { enabled: false }, undefined],
        );
        const marked = (text: string) => [{ type: 'text', text, cache_control: { type: 'ephemeral' } }];
        assert.deepEqual(bodies[0]?.['messages'], [
          { role: 'system', content: marked('Be brief.') },
          { role: 'user', content: marked('Hi') },
        ]);
      },
    );
  });

  it('lists models with context, abilities and prices for a million tokens', async () => {
    const data = [
      {
        id: 'a/one',
        name: 'One',
        context_length: 200_000,
        top_provider: { max_completion_tokens: 8192 },
        architecture: { input_modalities: ['text', 'image'] },
        supported_parameters: ['tools', 'reasoning', 'structured_outputs'],
        pricing: { prompt: '0.0000008', completion: '0.000004', input_cache_read: '0.00000008' },
      },
      { id: 'openrouter/auto', pricing: { prompt: '-1', completion: '-1' } },
    ];
    await withContractServer(
      (_, response) => sendJson(response, 200, { data }),
      async ({ url }) => {
        const [one, auto] = await openOpenRouter({ baseUrl: url, apiKey: canaryKey }).getModels();
        assert.deepEqual(one, {
          provider: 'openrouter',
          id: 'a/one',
          name: 'One',
          contextTokens: 200_000,
          maxOutputTokens: 8192,
          tools: true,
          vision: true,
          thinking: true,
          structuredOutput: true,
          promptCache: true,
          price: { input: 0.8, output: 4, cacheRead: 0.08 },
        });
        assert.equal(auto?.price, undefined);
      },
    );
  });

  it('reads its own key to know whether it is good', async () => {
    await withMock([], async ({ url }) => {
      assert.equal(await openOpenRouter({ baseUrl: `${url}/api/v1`, apiKey: canaryKey }).isAvailable(), true);
    });
  });
});
