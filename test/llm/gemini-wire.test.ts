import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { LlmRequestInput, LlmResponse, LlmStreamEvent, Message } from '../../contracts/llm.ts';
import { openGemini } from '../../llm/providers/gemini/provider.ts';
import { withTempDir } from '../support/temp-dir.ts';
import { sendEvents, sendJson, withContractServer } from './support/contract-server.ts';
import { answerOf, assertNoCanary, canaryKey, collect, failure, request, textOf } from './support/requests.ts';

interface Part {
  text?: string;
  thought?: boolean;
  thoughtSignature?: string;
  functionCall?: unknown;
  functionResponse?: { response: unknown };
}

interface Body {
  contents: { role: string; parts: Part[] }[];
  systemInstruction?: { parts: Part[] };
  generationConfig?: Record<string, unknown>;
  toolConfig?: unknown;
  tools?: unknown;
  safetySettings?: unknown;
}

const chunk = (parts: object[], finishReason?: string, more: object = {}): object => ({
  candidates: [{ content: { role: 'model', parts }, ...(finishReason ? { finishReason } : {}) }],
  modelVersion: 'gemini-3.5-flash-001',
  responseId: 'resp_1',
  ...more,
});
const done = [chunk([{ text: 'ok' }], 'STOP')];

async function wire(
  model: string,
  prompt: string | LlmRequestInput['messages'],
  more: Partial<LlmRequestInput> = {},
): Promise<Body> {
  return withContractServer(
    (_, response) => sendEvents(response, done),
    async ({ url, requests }) => {
      await openGemini({ apiKey: canaryKey, baseUrl: url }).generate(request(model, prompt, more));
      const [received] = requests;
      assert.equal(received?.path, `/v1beta/models/${model}:streamGenerateContent?alt=sse`);
      assert.equal(received.headers['x-goog-api-key'], canaryKey);
      assertNoCanary(received.raw);
      return received.body as Body;
    },
  );
}

async function ask(
  chunks: (object | string)[],
  more: Partial<LlmRequestInput> = {},
): Promise<{ events: LlmStreamEvent[]; response: LlmResponse }> {
  return withContractServer(
    (_, response) => sendEvents(response, chunks),
    async ({ url }) => {
      const provider = openGemini({ apiKey: canaryKey, baseUrl: url });
      const events = await collect(provider.generateStream(request('gemini-3.5-flash', 'Hi', more)));
      return { events, response: answerOf(events) };
    },
  );
}

const refused = (chunks: (object | string)[], end: 'close' | 'cut' = 'close'): Promise<unknown> =>
  withContractServer(
    (_, response) => sendEvents(response, chunks, end),
    ({ url }) => openGemini({ apiKey: canaryKey, baseUrl: url }).generate(request('gemini-3.5-flash', 'Hi')),
  );

const tool = {
  name: 'look',
  description: 'Looks.',
  parameters: { type: 'object', properties: { at: { type: 'string' } } },
};
const user = (text: string): Message => ({ role: 'user', content: [{ type: 'text', text }] });
const image = { type: 'image' as const, mediaType: 'image/png' as const, data: 'iVBORw0KGgo=' };
const inline = { inlineData: { mimeType: 'image/png', data: 'iVBORw0KGgo=' } };

describe('requests to gemini', () => {
  it('hold the instructions apart, the tools with their schema, and images', async () => {
    const body = await wire('gemini-3.5-flash', [{ role: 'user', content: [{ type: 'text', text: 'See' }, image] }], {
      system: 'Be brief.',
      tools: [tool],
      maxTokens: 500,
      temperature: 0.3,
      stop: ['END'],
    });
    assert.equal(body.systemInstruction?.parts[0]?.text, 'Be brief.');
    assert.deepEqual(body.contents, [{ role: 'user', parts: [{ text: 'See' }, inline] }]);
    assert.deepEqual(body.tools, [
      { functionDeclarations: [{ name: 'look', description: 'Looks.', parametersJsonSchema: tool.parameters }] },
    ]);
    const { maxOutputTokens, temperature, stopSequences } = body.generationConfig ?? {};
    assert.deepEqual([maxOutputTokens, temperature, stopSequences], [500, 0.3, ['END']]);
  });

  for (const [toolChoice, functionCallingConfig] of [
    ['auto', { mode: 'AUTO' }],
    ['required', { mode: 'ANY' }],
    ['none', { mode: 'NONE' }],
    [{ tool: 'look' }, { mode: 'ANY', allowedFunctionNames: ['look'] }],
  ] as const) {
    it(`call functions ${functionCallingConfig.mode} for ${JSON.stringify(toolChoice)}`, async () => {
      const body = await wire('gemini-3.5-flash', 'Hi', { tools: [tool], toolChoice });
      assert.deepEqual(body.toolConfig, { functionCallingConfig });
    });
  }

  it('carry safety settings and a schema for the answer', async () => {
    const safetySettings = [{ category: 'HARM_CATEGORY_HARASSMENT', threshold: 'BLOCK_NONE' }];
    const responseSchema = { type: 'object', properties: { age: { type: 'integer' } } };
    const body = await wire('gemini-3.5-flash', 'Hi', {
      responseSchema,
      providerOptions: { gemini: { safetySettings } },
    });
    assert.deepEqual(body.safetySettings, safetySettings);
    assert.equal(body.generationConfig?.['responseMimeType'], 'application/json');
    assert.deepEqual(body.generationConfig?.['responseJsonSchema'], responseSchema);
  });

  it('ask for thinking by budget or by level, as the model takes it', async () => {
    const thinking = async (model: string, prompt: string, more: Partial<LlmRequestInput> = {}): Promise<unknown> =>
      (await wire(model, prompt, more)).generationConfig?.['thinkingConfig'];
    assert.deepEqual(await thinking('gemini-2.5-flash', 'think hard', { maxTokens: 10_000 }), {
      includeThoughts: true,
      thinkingBudget: 8000,
    });
    assert.deepEqual(await thinking('gemini-2.5-pro', 'Hi', { thinking: { mode: 'off' } }), {
      includeThoughts: false,
      thinkingBudget: 128,
    });
    assert.deepEqual(await thinking('gemini-2.5-pro', 'ultrathink'), { includeThoughts: true, thinkingBudget: 32_768 });
    assert.deepEqual(await thinking('gemini-3.5-flash', 'think hard'), {
      includeThoughts: true,
      thinkingLevel: 'medium',
    });
    assert.deepEqual(await thinking('gemini-3.5-flash', 'Hi'), { includeThoughts: true });
    assert.deepEqual(await thinking('gemini-3.5-flash', 'Hi', { thinking: { mode: 'off' } }), {
      includeThoughts: false,
      thinkingLevel: 'low',
    });
    assert.equal(await thinking('gemini-2.0-flash', 'think hard'), undefined);
  });

  it('put images of results where the model takes them', async () => {
    const called: Message = {
      role: 'assistant',
      content: [{ type: 'tool-call', id: 'c1', name: 'look', arguments: {} }],
    };
    const result: Message = {
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
    const newer = await wire('gemini-3.5-flash', [user('Hi'), called, result, user('Go on')]);
    assert.deepEqual(newer.contents.slice(2), [
      { role: 'user', parts: [{ functionResponse: { name: 'look', response: { error: 'no' }, parts: [inline] } }] },
      { role: 'user', parts: [{ text: 'Go on' }] },
    ]);
    const older = await wire('gemini-2.5-flash', [user('Hi'), called, result]);
    assert.deepEqual(older.contents.slice(2), [
      { role: 'user', parts: [{ functionResponse: { name: 'look', response: { error: 'no' } } }] },
      { role: 'user', parts: [inline] },
    ]);
  });

  it('stand in for the signature of calls that Gemini 3 did not make itself', async () => {
    const called: Message = {
      role: 'assistant',
      content: [
        { type: 'thinking', text: 'secret', opaque: { provider: 'anthropic', data: { model: 'm', signature: 's' } } },
        { type: 'tool-call', id: 'c1', name: 'look', arguments: {} },
        { type: 'tool-call', id: 'c2', name: 'look', arguments: '{"cut' },
      ],
    };
    const newer = await wire('gemini-3.5-flash', [user('Hi'), called]);
    assert.deepEqual(newer.contents[1]?.parts, [
      { functionCall: { name: 'look', args: {} }, thoughtSignature: 'skip_thought_signature_validator' },
      { functionCall: { name: 'look', args: { invalid: '{"cut' } } },
    ]);
    const older = await wire('gemini-2.5-flash', [user('Hi'), called]);
    assert.equal(older.contents[1]?.parts[0]?.thoughtSignature, undefined);
  });

  it('go to Vertex with a token of the given credentials where a project is given', async () => {
    await withTempDir((dir) =>
      withContractServer(
        (received, response) =>
          received.path === '/token'
            ? sendJson(response, 200, {
                access_token: 'vertex-token',
                issued_token_type: 'urn:ietf:params:oauth:token-type:access_token',
                expires_in: 3600,
                token_type: 'Bearer',
              })
            : sendEvents(response, done),
        async ({ url, requests }) => {
          const keyFile = join(dir, 'key.json');
          await writeFile(join(dir, 'subject'), 'subject-token');
          // The one kind of Google's credentials that names its own token server.
          const federation = {
            type: 'external_account',
            audience: '//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/p/providers/p',
            subject_token_type: 'urn:ietf:params:oauth:token-type:jwt',
            token_url: `${url}/token`,
            credential_source: { file: join(dir, 'subject') },
          };
          await writeFile(keyFile, JSON.stringify(federation));
          const settings = { project: 'my-project', location: 'europe-west1', keyFile, baseUrl: url };
          const response = await openGemini(settings).generate(request('gemini-2.5-pro', 'Hi'));
          assert.equal(textOf(response), 'ok');
          const call = requests.find(({ path }) => path !== '/token');
          assert.equal(
            call?.path,
            '/v1beta1/projects/my-project/locations/europe-west1/publishers/google/models/gemini-2.5-pro:streamGenerateContent?alt=sse',
          );
          assert.equal(call.headers['authorization'], 'Bearer vertex-token');
        },
      ),
    );
  });
});

describe('answers of gemini', () => {
  it('keep each signature on the very part it came on, and give them back so', async () => {
    const answer = [
      chunk([{ text: 'First', thought: true }]),
      chunk([{ text: ' this.', thought: true }]),
      chunk([{ text: 'I ' }]),
      chunk([{ text: 'look.' }]),
      chunk([{ text: '', thoughtSignature: 'c2ln+/1=' }]),
      chunk(
        [
          { functionCall: { id: 'fc_1', name: 'look', args: { at: 'a.ts' } }, thoughtSignature: 'c2lnMg==' },
          { functionCall: { name: 'look', args: { at: 'b.ts' } } },
        ],
        'STOP',
      ),
    ];
    await withContractServer(
      (_, response) => sendEvents(response, answer),
      async ({ url, requests }) => {
        const provider = openGemini({ apiKey: canaryKey, baseUrl: url });
        const first = await provider.generate(request('gemini-3.5-flash', 'Hi', { tools: [tool] }));
        assert.equal(first.stopReason, 'tool-calls');
        assert.deepEqual(
          first.message.content.map((part) => [part.type, part.opaque?.data]),
          [
            ['thinking', undefined],
            ['text', undefined],
            ['text', { thoughtSignature: 'c2ln+/1=' }],
            ['tool-call', { thoughtSignature: 'c2lnMg==', callId: 'fc_1' }],
            ['tool-call', undefined],
          ],
        );
        const stored = JSON.parse(JSON.stringify(first.message)) as typeof first.message;
        const results = stored.content.flatMap((part) =>
          part.type === 'tool-call'
            ? [{ type: 'tool-result' as const, callId: part.id, name: part.name, content: [] }]
            : [],
        );
        await provider.generate(request('gemini-3.5-flash', [user('Hi'), stored, { role: 'tool', content: results }]));
        const { contents } = requests[1]!.body as Body;
        assert.deepEqual(contents.slice(1), [
          {
            role: 'model',
            parts: [
              { text: 'I look.' },
              { text: '', thoughtSignature: 'c2ln+/1=' },
              { functionCall: { id: 'fc_1', name: 'look', args: { at: 'a.ts' } }, thoughtSignature: 'c2lnMg==' },
              { functionCall: { name: 'look', args: { at: 'b.ts' } } },
            ],
          },
          {
            role: 'user',
            parts: [
              { functionResponse: { id: 'fc_1', name: 'look', response: { output: '' } } },
              { functionResponse: { name: 'look', response: { output: '' } } },
            ],
          },
        ]);
      },
    );
  });

  it('count thoughts with the answer, and cached content within the prompt', async () => {
    const usageMetadata = {
      promptTokenCount: 1000,
      cachedContentTokenCount: 800,
      toolUsePromptTokenCount: 10,
      candidatesTokenCount: 20,
      thoughtsTokenCount: 30,
    };
    const { response } = await ask([chunk([{ text: 'Hi' }], 'STOP', { usageMetadata })]);
    assert.deepEqual(response.usage, { input: 1010, output: 50, thinking: 30, cacheRead: 800, cacheWrite: 0 });
    assert.deepEqual([response.model, response.id], ['gemini-3.5-flash-001', 'resp_1']);
  });

  for (const [said, meant] of [
    ['MAX_TOKENS', 'max-tokens'],
    ['SAFETY', 'refusal'],
    ['RECITATION', 'refusal'],
    ['PROHIBITED_CONTENT', 'refusal'],
    ['SPII', 'refusal'],
    ['OTHER', 'end'],
  ] as const) {
    it(`that finish with ${said} say ${meant}`, async () => {
      const { response } = await ask([chunk([{ text: 'Hi' }], said)]);
      assert.equal(response.stopReason, meant);
    });
  }

  it('to a blocked prompt are a refusal in words', async () => {
    const { response } = await ask([
      { promptFeedback: { blockReason: 'PROHIBITED_CONTENT' }, usageMetadata: { promptTokenCount: 7 } },
    ]);
    assert.equal(response.stopReason, 'refusal');
    assert.match(textOf(response), /PROHIBITED_CONTENT/);
    assert.equal(response.usage.input, 7);
  });

  it('fail when the model wrote a call that cannot be read, and when they break off', async () => {
    const error = await failure('llm.malformed-answer', refused([chunk([], 'MALFORMED_FUNCTION_CALL')]));
    assert.match(error.message, /MALFORMED_FUNCTION_CALL/);
    await failure('llm.unavailable', refused([chunk([{ text: 'Hi' }])]));
    await failure('llm.unavailable', refused([chunk([{ text: 'Hi' }])], 'cut'));
    await failure('llm.unavailable', refused([chunk([{ text: 'Hi' }]), 'data: {"candidates": [']));
    await failure('llm.malformed-answer', refused([chunk([{ text: 'Hi' }]), 'data: {"candidates": [\n\n']));
  });

  it('fail as the error in the stream says', async () => {
    const error = { error: { code: 503, status: 'UNAVAILABLE', message: 'The model is overloaded.' } };
    await failure('llm.overloaded', refused([chunk([{ text: 'Hi' }]), error]));
  });

  it('tell a wrong key, a long prompt, and a limit for the minute from one for the day', async () => {
    const answering = (code: number, message: string, details: object[] = []): Promise<unknown> =>
      withContractServer(
        (_, response) => sendJson(response, code, { error: { code, message, status: 'X', details } }),
        ({ url }) => openGemini({ apiKey: canaryKey, baseUrl: url }).generate(request('gemini-3.5-flash', 'Hi')),
      );
    const quota = 'You exceeded your current quota, please check your plan and billing details.';
    await failure('llm.authentication', answering(400, 'API key not valid. Please pass a valid API key.'));
    await failure(
      'llm.context-exceeded',
      answering(400, 'The input token count (1200000) exceeds the maximum number of tokens allowed (1048576).'),
    );
    const minute = await failure(
      'llm.rate-limited',
      answering(429, quota, [{ '@type': 'RetryInfo', retryDelay: '34.5s' }]),
    );
    assert.equal(minute.details['retryAfterMs'], 34_500);
    const perDay = [{ '@type': 'QuotaFailure', violations: [{ quotaId: 'GenerateRequestsPerDayPerProject' }] }];
    await failure('llm.quota-exceeded', answering(429, quota, perDay));
  });

  it('list the models that answer', async () => {
    const models = [
      {
        name: 'models/gemini-2.5-flash',
        displayName: 'Gemini 2.5 Flash',
        inputTokenLimit: 1_048_576,
        outputTokenLimit: 65_536,
        supportedGenerationMethods: ['generateContent'],
        thinking: true,
      },
      { name: 'models/embedding-001', supportedGenerationMethods: ['embedContent'] },
    ];
    await withContractServer(
      (_, response) => sendJson(response, 200, { models }),
      async ({ url }) => {
        const provider = openGemini({ apiKey: canaryKey, baseUrl: url });
        const listed = await provider.getModels();
        assert.deepEqual(
          listed.map(({ id }) => id),
          ['gemini-2.5-flash'],
        );
        assert.equal(listed[0]?.price?.output, 2.5);
        assert.equal(await provider.isAvailable(), true);
      },
    );
  });
});
