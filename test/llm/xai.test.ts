import assert from 'node:assert/strict';
import type { LlmRequest, LlmRequestInput } from '../../contracts/llm.ts';
import { openXai } from '../../llm/providers/xai/provider.ts';
import { behavesAsProvider } from './support/behaviour.ts';
import { sendEvents, sendJson, withContractServer } from './support/contract-server.ts';
import { canaryKey, failure, request } from './support/requests.ts';

describe('xai, against a scripted server', () => {
  behavesAsProvider({
    model: 'grok-4',
    path: '/chat/completions',
    open: (settings, url) => openXai({ ...settings, baseUrl: `${url}/v1` }),
  });
});

const stop = { choices: [{ delta: {}, finish_reason: 'stop' }] };

/** What xAI is sent for a request, and what its answer is understood as. */
async function exchange(asked: LlmRequest, chunks: object[] = [stop]) {
  return withContractServer(
    (_, response) => sendEvents(response, chunks),
    async ({ url, requests }) => {
      const response = await openXai({ baseUrl: url, apiKey: canaryKey }).generate(asked);
      return { response, body: requests[0]?.body as Record<string, unknown> };
    },
  );
}

describe('xai', () => {
  it('shows reasoning, counts it as output, and reports the cost', async () => {
    const usage = {
      prompt_tokens: 20,
      completion_tokens: 10,
      total_tokens: 130,
      completion_tokens_details: { reasoning_tokens: 100 },
      prompt_tokens_details: { cached_tokens: 5 },
      cost_in_usd_ticks: 37_756_000,
    };
    const { response } = await exchange(request('grok-4', 'Hi'), [
      { choices: [{ delta: { reasoning_content: 'Hm.' } }] },
      { choices: [{ delta: { content: 'Yes.' } }] },
      stop,
      { choices: [], usage },
    ]);
    const [thinking] = response.message.content;
    assert.equal(thinking?.type === 'thinking' && thinking.text, 'Hm.');
    assert.deepEqual(response.usage, {
      input: 20,
      output: 110,
      thinking: 100,
      cacheRead: 5,
      cacheWrite: 0,
      reportedCost: 0.0037756,
    });
  });

  it('tells an effort only to the models that take one, and one that they take', async () => {
    const effort = async (model: string, thinking: LlmRequestInput['thinking']) =>
      (await exchange(request(model, 'Hi', { thinking }))).body['reasoning_effort'];
    assert.equal(await effort('grok-4', { mode: 'on', effort: 'high' }), undefined);
    assert.equal(await effort('grok-3-mini', { mode: 'on', effort: 'medium' }), 'high');
    assert.equal(await effort('grok-3-mini', { mode: 'off' }), 'low');
    assert.equal(await effort('grok-4.3', { mode: 'off' }), 'none');
    assert.equal(await effort('grok-4.3', {}), undefined);
  });

  it('passes on live search and tools of its own', async () => {
    const search_parameters = { mode: 'on', max_search_results: 3, sources: [{ type: 'x' }] };
    const own = { type: 'web_search' };
    const tools = [{ name: 'run', description: 'Runs.', parameters: { type: 'object' } }];
    const { body } = await exchange(
      request('grok-4', 'News?', { tools, providerOptions: { xai: { search_parameters, tools: [own] } } }),
    );
    assert.deepEqual(body['search_parameters'], search_parameters);
    assert.deepEqual((body['tools'] as unknown[])[1], own);
  });

  it('understands a wrong key, which xAI calls a wrong argument', async () => {
    await withContractServer(
      (_, response) =>
        sendJson(response, 400, {
          code: 'Client specified an invalid argument',
          error: `Incorrect API key provided: ${canaryKey}.`,
        }),
      async ({ url }) => {
        await failure(
          'llm.authentication',
          openXai({ baseUrl: url, apiKey: canaryKey }).generate(request('grok-4', 'Hi')),
        );
      },
    );
  });
});
