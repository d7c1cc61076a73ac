import assert from 'node:assert/strict';
import { once } from 'node:events';
import type { Fixture } from '@copilotkit/aimock';
import type { LlmProvider, ProviderSettings } from '../../../llm/provider.ts';
import { sendJson, withContractServer } from './contract-server.ts';
import { withMock } from './mock.ts';
import { answerOf, assertNoCanary, canaryKey, collect, failure, request, textOf } from './requests.ts';

/** A provider as seen by tests. */
export interface Subject {
  model: string;
  /** `url` is the server's, without a path. */
  open(settings: ProviderSettings, url: string): LlmProvider;
  /** Something the scripted server is asked as this provider; part of the path. */
  path: string;
  /** It can be asked without a key. */
  keyless?: boolean;
  /** The scripted server does not send thinking as this provider does. */
  withoutThinking?: boolean;
}

const tool = {
  name: 'read_file',
  description: 'Reads a file.',
  parameters: { type: 'object', properties: { path: { type: 'string' } }, required: ['path'] },
};

/** What every provider has to do, whatever it is on the wire; run against the scripted server. To be called within a `describe`. */
export function behavesAsProvider({ model, open, path, keyless, withoutThinking }: Subject): void {
  const provider = (url: string, settings: ProviderSettings = {}): LlmProvider =>
    open({ apiKey: canaryKey, ...settings }, url);
  const always = (response: Fixture['response'], more: Partial<Fixture> = {}): Fixture[] => [
    { match: {}, response, ...more },
  ];

  it('answers a text, with its usage', async () => {
    await withMock(always({ content: 'Hello there.' }), async ({ url, journal }) => {
      const response = await provider(url).generate(request(model, 'Hi'));
      assert.equal(textOf(response), 'Hello there.');
      assert.equal(response.stopReason, 'end');
      assert.ok(response.usage.input >= 0 && response.usage.output >= 0);
      assert.ok(journal()[0]?.path.includes(path), journal()[0]?.path);
    });
  });

  it('streams an answer in pieces whose sum is the answer', async () => {
    const content = 'One two three four five six seven eight nine ten.';
    await withMock(always({ content }, { chunkSize: 5 }), async ({ url }) => {
      const events = await collect(provider(url).generateStream(request(model, 'Count')));
      const pieces = events.flatMap((event) => (event.type === 'text' ? [event.text] : []));
      assert.ok(pieces.length > 5, `${pieces.length} pieces`);
      assert.equal(pieces.join(''), content);
      assert.equal(textOf(answerOf(events)), content);
    });
  });

  const itThinks = withoutThinking ? () => undefined : it;
  itThinks('shows what the model thinks, apart from what it answers', async () => {
    await withMock(always({ content: 'Four.', reasoning: 'Two and two.' }), async ({ url }) => {
      const events = await collect(provider(url).generateStream(request(model, 'Sum', { thinking: { mode: 'on' } })));
      const thought = events.flatMap((event) => (event.type === 'thinking' ? [event.text] : [])).join('');
      assert.equal(thought, 'Two and two.');
      const [first, second] = answerOf(events).message.content;
      assert.equal(first?.type, 'thinking');
      assert.deepEqual(second, { type: 'text', text: 'Four.' });
    });
  });

  it('gives the calls of several tools at once, and takes their results', async () => {
    const toolCalls = [
      { id: 'call_1', name: 'read_file', arguments: '{"path":"a.ts"}' },
      { id: 'call_2', name: 'read_file', arguments: '{"path":"b.ts"}' },
    ];
    const fixtures: Fixture[] = [
      { match: { hasToolResult: true }, response: { content: 'Both read.' } },
      { match: {}, response: { toolCalls } },
    ];
    await withMock(fixtures, async ({ url }) => {
      const asked = request(model, 'Read a.ts and b.ts', { tools: [tool] });
      const events = await collect(provider(url).generateStream(asked));
      const first = answerOf(events);
      assert.equal(first.stopReason, 'tool-calls');
      const calls = first.message.content.filter((part) => part.type === 'tool-call');
      assert.deepEqual(
        calls.map((call) => call.arguments),
        [{ path: 'a.ts' }, { path: 'b.ts' }],
      );
      assert.equal(new Set(calls.map((call) => call.id)).size, 2);
      for (const call of calls) {
        const written = events.flatMap((event) =>
          event.type === 'tool-arguments' && event.id === call.id ? [event.text] : [],
        );
        assert.deepEqual(JSON.parse(written.join('')), call.arguments);
      }
      const results = calls.map((call) => ({
        type: 'tool-result' as const,
        callId: call.id,
        name: call.name,
        content: [{ type: 'text' as const, text: 'export {}' }],
      }));
      const second = await provider(url).generate(
        request(model, [...asked.messages, first.message, { role: 'tool', content: results }], { tools: [tool] }),
      );
      assert.equal(textOf(second), 'Both read.');
    });
  });

  const statuses = [
    { status: 400, code: 'llm.invalid-request' },
    { status: 401, code: 'llm.authentication' },
    { status: 403, code: 'llm.authentication' },
    { status: 404, code: 'llm.model-not-found' },
    { status: 413, code: 'llm.context-exceeded' },
    { status: 500, code: 'llm.unavailable' },
    { status: 529, code: 'llm.overloaded' },
  ] as const;
  for (const { status, code } of statuses) {
    it(`says ${code} for HTTP ${status}, without the key`, async () => {
      const response = { error: { message: `refused for ${canaryKey}`, type: 'some_error' }, status };
      await withMock(always(response), async ({ url }) => {
        const error = await failure(code, provider(url).generate(request(model, 'Hi')));
        assert.equal(error.details['status'], status);
        assert.match(error.message, /refused for \[redacted\]/);
      });
    });
  }

  it('passes on how long a limited caller has to wait, and calls once only', async () => {
    const response = { error: { message: 'slow down', type: 'rate_limit_error' }, status: 429, retryAfter: 259_200 };
    await withMock(always(response), async ({ url, journal }) => {
      const error = await failure('llm.rate-limited', provider(url).generate(request(model, 'Hi')));
      assert.equal(error.details['retryAfterMs'], 259_200_000);
      assert.equal(journal().length, 1);
    });
  });

  it('fails when the stream is cut, and never finishes it', async () => {
    const fixtures = always({ content: 'x'.repeat(400) }, { chunkSize: 10, truncateAfterChunks: 4 });
    await withMock(fixtures, async ({ url }) => {
      const seen: string[] = [];
      const stream = (async () => {
        for await (const event of provider(url).generateStream(request(model, 'Hi'))) seen.push(event.type);
      })();
      await failure('llm.unavailable', stream);
      assert.ok(!seen.includes('finish'));
    });
  });

  it('fails when the answer is no JSON', async () => {
    await withMock(always({ content: 'x' }, { chaos: { malformedRate: 1 } }), async ({ url }) => {
      await failure('llm.malformed-answer', provider(url).generate(request(model, 'Hi')));
    });
  });

  it('fails when the connection is dropped', async () => {
    await withMock(always({ content: 'x' }, { chaos: { disconnectRate: 1 } }), async ({ url }) => {
      await failure('llm.unavailable', provider(url).generate(request(model, 'Hi')));
    });
  });

  it('fails when nobody listens', async () => {
    await failure('llm.unavailable', provider('http://127.0.0.1:1').generate(request(model, 'Hi')));
  });

  it('fails when the answer is empty', async () => {
    const answer = withContractServer(
      (_, response) => {
        response.writeHead(200, { 'content-type': 'text/event-stream' });
        response.end();
      },
      ({ url }) => failure('llm.malformed-answer', provider(url).generate(request(model, 'Hi'))),
    );
    await answer;
  });

  it('waits for the first byte as long as it is told, and no longer', async () => {
    await withMock(always({ content: 'late' }, { chaos: { latencyMs: 2000 } }), async ({ url }) => {
      const begun = performance.now();
      const error = await failure('llm.unavailable', provider(url, { timeoutMs: 100 }).generate(request(model, 'Hi')));
      assert.match(error.message, /100 ms/);
      assert.ok(performance.now() - begun < 1500);
    });
  });

  it('lets an answer that has begun take its time', async () => {
    const slow = always({ content: 'a b c d e f g h' }, { chunkSize: 2, streamingProfile: { ttft: 10, tps: 20 } });
    await withMock(slow, async ({ url }) => {
      const response = await provider(url, { timeoutMs: 250 }).generate(request(model, 'Hi'));
      assert.equal(textOf(response), 'a b c d e f g h');
    });
  });

  it('throws the reason of the signal when it is aborted, and ends the request', async () => {
    await withMock(always({ content: 'late' }, { chaos: { latencyMs: 2000 } }), async ({ url }) => {
      const reason = new Error('the user said stop');
      const controller = new AbortController();
      setTimeout(() => controller.abort(reason), 50);
      await assert.rejects(provider(url).generate(request(model, 'Hi'), { signal: controller.signal }), reason);
    });
  });

  it('ends the request when nobody listens to the stream any more', async () => {
    const long = always({ content: 'x'.repeat(250) }, { chunkSize: 5, streamingProfile: { tps: 50 } });
    const gone = new AbortController();
    const ended = once(gone.signal, 'abort');
    await withMock(long, (mock) =>
      withContractServer(
        async (received, response) => {
          response.on('close', () => {
            if (!response.writableFinished) gone.abort();
          });
          const sent = { method: 'POST', body: received.raw, headers: { 'content-type': 'application/json' } };
          const answer = await fetch(mock.url + received.path, { ...sent, signal: gone.signal });
          response.writeHead(answer.status, { 'content-type': answer.headers.get('content-type') ?? '' });
          for await (const chunk of answer.body ?? []) response.write(chunk);
          response.end();
        },
        async ({ url }) => {
          for await (const _ of provider(url).generateStream(request(model, 'Hi'))) break;
          await ended;
        },
      ),
    );
  });

  it('says of its health that it is unconfigured, unreachable or degraded, in words, without the key', async () => {
    const unconfigured = await open({}, 'http://127.0.0.1:1').getHealth();
    if (!keyless) {
      assert.equal(unconfigured.status, 'unconfigured');
      assert.match(unconfigured.reason ?? '', /_API_KEY/);
    }
    const unreachable = await provider('http://127.0.0.1:1').getHealth();
    assert.equal(unreachable.status, 'unreachable');
    assertNoCanary(unreachable);
    await withContractServer(
      (_, response) => sendJson(response, 401, { error: { message: `bad key ${canaryKey}` } }),
      async ({ url }) => {
        const refused = await provider(url).getHealth();
        assert.equal(refused.status, 'unconfigured');
        assertNoCanary(refused);
      },
    );
    await withContractServer(
      (_, response) => sendJson(response, 503, { error: { message: 'tired' } }),
      async ({ url }) => {
        assert.equal((await provider(url).getHealth()).status, 'degraded');
        assert.equal(await provider(url).isAvailable(), false);
      },
    );
  });

  if (keyless) return;

  it('refuses to be called without a key before anything is sent', async () => {
    await failure('llm.not-configured', open({}, 'http://127.0.0.1:1').generate(request(model, 'Hi')));
  });
}
