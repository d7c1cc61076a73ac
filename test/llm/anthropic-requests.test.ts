import assert from 'node:assert/strict';
import type { LlmRequestInput, Message } from '../../contracts/llm.ts';
import type { ProviderSettings } from '../../llm/provider.ts';
import { openAnthropic } from '../../llm/providers/anthropic/provider.ts';
import { sendEvents, withContractServer } from './support/contract-server.ts';
import { canaryKey, request } from './support/requests.ts';

interface Marked {
  cache_control?: unknown;
}

interface Body {
  max_tokens: number;
  temperature?: number;
  top_p?: number;
  thinking?: unknown;
  output_config?: unknown;
  tool_choice?: unknown;
  system?: (Marked & { text: string })[];
  tools?: (Marked & { name: string; input_schema: unknown })[];
  messages: { role: string; content: (Marked & { type: string })[] }[];
  service_tier?: string;
}

const done = [
  {
    type: 'message_start',
    message: { id: 'msg_1', model: 'm', content: [], usage: { input_tokens: 1, output_tokens: 1 } },
  },
  { type: 'message_delta', delta: { stop_reason: 'end_turn' }, usage: { output_tokens: 1 } },
  { type: 'message_stop' },
];

/** What a request looks like on the wire. */
async function wire(
  model: string,
  prompt: string | LlmRequestInput['messages'],
  more: Partial<LlmRequestInput> = {},
  settings: ProviderSettings = {},
): Promise<{ body: Body; raw: string; headers: Record<string, unknown> }> {
  return withContractServer(
    (_, response) => sendEvents(response, done),
    async ({ url, requests }) => {
      await openAnthropic({ apiKey: canaryKey, ...settings, baseUrl: `${url}/v1/` }).generate(
        request(model, prompt, more),
      );
      const [received] = requests;
      assert.equal(received?.path, '/v1/messages');
      return { body: received.body as Body, raw: received.raw, headers: received.headers };
    },
  );
}

const tool = { name: 'look', description: 'Looks.', parameters: { type: 'object', properties: {} } };
const user = (text: string): Message => ({ role: 'user', content: [{ type: 'text', text }] });
const called: Message = { role: 'assistant', content: [{ type: 'tool-call', id: 'c1', name: 'look', arguments: {} }] };
const result: Message = {
  role: 'tool',
  content: [
    { type: 'tool-result', callId: 'c1', name: 'look', content: [{ type: 'text', text: 'seen' }], isError: false },
  ],
};

describe('requests to anthropic', () => {
  it('mark the cache after tools, instructions, and the last two messages of the user, and nowhere else', async () => {
    const { body } = await wire('claude-opus-4-6', [user('one'), called, result, called, result, user('two')], {
      system: 'Be brief.',
      tools: [tool, { ...tool, name: 'touch' }],
    });
    const mark = { type: 'ephemeral' };
    assert.deepEqual(
      body.tools?.map(({ cache_control }) => cache_control),
      [undefined, mark],
    );
    assert.deepEqual(body.system, [{ type: 'text', text: 'Be brief.', cache_control: mark }]);
    const marks = body.messages.map(({ content }) => content.map((block) => block.cache_control !== undefined));
    assert.deepEqual(marks, [[false], [false], [true], [false], [false, true]]);
  });

  it('mark nothing when the cache is not wanted', async () => {
    const { body } = await wire('claude-opus-4-6', 'Hi', { system: 'Be brief.', tools: [tool], cache: false });
    assert.ok(!JSON.stringify(body).includes('cache_control'));
  });

  it('send images, and images within results, and failed results as such', async () => {
    const image = { type: 'image' as const, mediaType: 'image/png' as const, data: 'iVBORw0KGgo=' };
    const failed: Message = {
      role: 'tool',
      content: [
        {
          type: 'tool-result',
          callId: 'c1',
          name: 'look',
          content: [{ type: 'text', text: 'no' }, image],
          isError: true,
        },
      ],
    };
    const { body } = await wire('claude-opus-4-6', [{ role: 'user', content: [image] }, called, failed], {
      cache: false,
    });
    const source = { type: 'base64', media_type: 'image/png', data: 'iVBORw0KGgo=' };
    assert.deepEqual(body.messages[0]?.content, [{ type: 'image', source }]);
    assert.deepEqual(body.messages[2]?.content, [
      {
        type: 'tool_result',
        tool_use_id: 'c1',
        is_error: true,
        content: [
          { type: 'text', text: 'no' },
          { type: 'image', source },
        ],
      },
    ]);
  });

  it('carry no blank text, and ids and arguments that Anthropic takes', async () => {
    const odd: Message = {
      role: 'assistant',
      content: [
        { type: 'text', text: ' \n' },
        { type: 'thinking', text: 'of another', opaque: { provider: 'gemini', data: { thoughtSignature: 'x' } } },
        { type: 'tool-call', id: 'call.1/2', name: 'look', arguments: '{"cut' },
      ],
    };
    const { body } = await wire('claude-opus-4-6', [user('Hi'), odd], { cache: false });
    assert.deepEqual(body.messages[1]?.content, [
      { type: 'tool_use', id: 'call_1_2', name: 'look', input: { invalid: '{"cut' } },
    ]);
  });

  it('think with 80% of the tokens of the answer when the user asks for it', async () => {
    const { body } = await wire('claude-haiku-4-5', 'Think hard about it.', { maxTokens: 10_000, temperature: 0.2 });
    assert.deepEqual(body.thinking, { type: 'enabled', budget_tokens: 8000 });
    assert.equal(body.temperature, undefined);
    const quiet = await wire('claude-haiku-4-5', 'I think it is broken.', { temperature: 0.2, topP: 0.9 });
    assert.equal(quiet.body.thinking, undefined);
    assert.equal(quiet.body.temperature, 0.2);
    assert.equal(quiet.body.top_p, undefined);
  });

  it('think with no less than 1,024 and less than all tokens, or not at all', async () => {
    const on = { mode: 'on' as const };
    const small = await wire('claude-haiku-4-5', 'Hi', { maxTokens: 1200, thinking: on });
    assert.deepEqual(small.body.thinking, { type: 'enabled', budget_tokens: 1024 });
    const tooSmall = await wire('claude-haiku-4-5', 'Hi', { maxTokens: 1000, thinking: on });
    assert.equal(tooSmall.body.thinking, undefined);
    const large = await wire('claude-haiku-4-5', 'Hi', {
      maxTokens: 4000,
      thinking: { mode: 'on', budgetTokens: 9000 },
    });
    assert.deepEqual(large.body.thinking, { type: 'enabled', budget_tokens: 3999 });
  });

  it('leave it to adaptive models how much to think, and take no temperature to those that refuse one', async () => {
    const adaptive = { type: 'adaptive', display: 'summarized' };
    const opus = await wire('claude-opus-4-8', 'ultrathink', { temperature: 0 });
    assert.deepEqual([opus.body.thinking, opus.body.output_config], [adaptive, { effort: 'high' }]);
    assert.equal(opus.body.temperature, undefined);
    const quiet = await wire('claude-opus-4-8', 'Hi');
    assert.equal(quiet.body.thinking, undefined);
    const sonnet = await wire('claude-sonnet-5', 'Hi');
    assert.deepEqual(sonnet.body.thinking, adaptive);
    const off = await wire('claude-sonnet-5', 'Hi', { thinking: { mode: 'off' } });
    assert.deepEqual(off.body.thinking, { type: 'disabled' });
    const always = await wire('claude-opus-5-5', 'Hi', { thinking: { mode: 'off' } });
    assert.deepEqual([always.body.thinking, always.body.output_config], [adaptive, { effort: 'low' }]);
  });

  it('do not ask for a budget of thinking to answer calls that came without thinking', async () => {
    const { body } = await wire('claude-haiku-4-5', [user('Hi'), called, result], {
      thinking: { mode: 'on' },
      tools: [tool],
    });
    assert.equal(body.thinking, undefined);
  });

  it('force a tool and then do not think, except on models that refuse to be forced', async () => {
    const more = { tools: [tool], toolChoice: { tool: 'look' }, thinking: { mode: 'on' as const } };
    const haiku = await wire('claude-haiku-4-5', 'Hi', more);
    assert.deepEqual([haiku.body.tool_choice, haiku.body.thinking], [{ type: 'tool', name: 'look' }, undefined]);
    const sonnet = await wire('claude-sonnet-5', 'Hi', { ...more, toolChoice: 'required' });
    assert.deepEqual([sonnet.body.tool_choice, sonnet.body.thinking], [{ type: 'any' }, { type: 'disabled' }]);
    const opus = await wire('claude-opus-5-5', 'Hi', more);
    assert.equal(opus.body.tool_choice, undefined);
    const none = await wire('claude-opus-5-5', 'Hi', { tools: [tool], toolChoice: 'none' });
    assert.deepEqual(none.body.tool_choice, { type: 'none' });
  });

  it('have a schema obeyed by the output format, in the form that Anthropic takes', async () => {
    const responseSchema = { type: 'object', properties: { age: { type: 'integer', minimum: 1 } }, required: ['age'] };
    const { body } = await wire('claude-sonnet-4-6', 'How old?', { responseSchema });
    const config = body.output_config as { format: { type: string; schema: { additionalProperties: boolean } } };
    assert.equal(config.format.type, 'json_schema');
    assert.equal(config.format.schema.additionalProperties, false);
    assert.equal(body.tools, undefined);
  });

  it('carry a beta header only where one is needed or given', async () => {
    const plain = await wire('claude-haiku-4-5', 'Hi', { tools: [tool] });
    assert.equal(plain.headers['anthropic-beta'], undefined);
    const thinking = await wire('claude-haiku-4-5', 'Hi', { tools: [tool], thinking: { mode: 'on' } });
    assert.equal(thinking.headers['anthropic-beta'], 'interleaved-thinking-2025-05-14');
    const given = await wire('claude-sonnet-5', 'Hi', {
      providerOptions: { anthropic: { betas: ['one-2026', 'two-2026'], service_tier: 'standard_only' } },
    });
    assert.equal(given.headers['anthropic-beta'], 'one-2026,two-2026');
    assert.equal(given.body.service_tier, 'standard_only');
    assert.ok(!('betas' in given.body));
  });

  it('carry the key in a header alone, and none from the environment', async () => {
    const names = ['ANTHROPIC_API_KEY', 'ANTHROPIC_AUTH_TOKEN'];
    for (const name of names) process.env[name] = 'from-the-environment';
    try {
      const { raw, headers } = await wire('claude-sonnet-5', 'Hi');
      assert.equal(headers['authorization'], `Bearer ${canaryKey}`);
      assert.ok(!raw.includes(canaryKey));
      const own = await wire(
        'claude-sonnet-5',
        'Hi',
        {},
        { apiKey: undefined, headers: { 'x-api-key': 'of-a-proxy' } },
      );
      assert.equal(own.headers['x-api-key'], 'of-a-proxy');
      assert.equal(own.headers['authorization'], undefined);
      assert.ok(!JSON.stringify(own.headers).includes('from-the-environment'));
    } finally {
      for (const name of names) delete process.env[name];
    }
  });
});
