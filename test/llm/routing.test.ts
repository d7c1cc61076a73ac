import assert from 'node:assert/strict';
import { HelixError } from '../../contracts/error.ts';
import { llmRequestSchema } from '../../contracts/llm.ts';
import type { ModelInfo } from '../../contracts/llm.ts';
import type { ModelCandidate } from '../../llm/routing/assess.ts';
import { chooseModel, fallbackChain } from '../../llm/routing/choose-model.ts';
import { parseModelName } from '../../llm/routing/model-name.ts';
import { needsOf } from '../../llm/routing/needs.ts';

const all = { tools: true, vision: true, thinking: true, structuredOutput: true, promptCache: true };

function model(name: string, more: Partial<ModelInfo> = {}, rest: Partial<ModelCandidate> = {}): ModelCandidate {
  const { provider, model: id } = parseModelName(name);
  return { info: { provider, id, contextTokens: 200_000, ...all, ...more }, ...rest };
}

const price = (input: number, output: number): Partial<ModelInfo> => ({ price: { input, output } });
const large = model('anthropic/large', price(3, 15));
const small = model('openai/small', { ...price(0.1, 0.4), contextTokens: 16_000 });
const blind = model('local/blind', { vision: false, ...price(0, 0) });
const fleet = [large, small, blind];

function refusal(run: () => unknown): HelixError {
  try {
    run();
  } catch (error) {
    assert.ok(error instanceof HelixError, String(error));
    return error;
  }
  throw new assert.AssertionError({ message: 'nothing was refused' });
}

describe('names of models', () => {
  it('keep the slashes of the provider', () => {
    assert.deepEqual(parseModelName('openrouter/meta/llama-3:free'), {
      provider: 'openrouter',
      model: 'meta/llama-3:free',
    });
  });

  it('without a provider are refused with the names that may have been meant', () => {
    for (const name of ['gpt-5', '/gpt-5', 'openai/', 'Open AI/gpt-5', '']) {
      assert.equal(refusal(() => parseModelName(name)).code, 'usage.invalid', name);
    }
    assert.match(refusal(() => parseModelName('gpt-5', ['openai/gpt-5', 'x/y'])).message, /mean openai\/gpt-5\?/);
  });
});

describe('a model is chosen', () => {
  it('by price among those that have what is needed', () => {
    assert.equal(chooseModel({}, fleet).name, 'local/blind');
    assert.equal(chooseModel({ vision: true }, fleet).name, 'openai/small');
    assert.equal(chooseModel({ vision: true, promptTokens: 20_000 }, fleet).name, 'anthropic/large');
    assert.equal(
      chooseModel({ vision: true, promptTokens: 10_000, answerTokens: 7_000 }, fleet).name,
      'anthropic/large',
    );
  });

  it('by the price list given, a price that is not known last', () => {
    const unknown = model('a/unknown');
    assert.equal(chooseModel({}, [unknown, large]).name, 'anthropic/large');
    assert.equal(chooseModel({}, [{ ...large, price: { input: 0, output: 0 } }, small]).name, 'anthropic/large');
    const { estimatedUsd } = chooseModel({ promptTokens: 1e6, answerTokens: 1e6 }, [
      model('a/b', { ...price(3, 15), contextTokens: 3e6 }),
    ]);
    assert.equal(estimatedUsd, 18);
  });

  it('by context or by the order given, when the policy says so', () => {
    const wide = model('z/wide', { contextTokens: 2e6, ...price(9, 9) });
    assert.equal(chooseModel({}, [small, wide, large], { order: 'context' }).name, 'z/wide');
    assert.equal(chooseModel({}, [large, small], { order: 'listed' }).name, 'anthropic/large');
  });

  it('by health: the unreachable never, the degraded last', () => {
    const away = { ...blind, health: { status: 'unreachable' as const, reason: 'connection refused' } };
    const slow = { ...small, health: { status: 'degraded' as const } };
    assert.equal(chooseModel({}, [away, slow, large]).name, 'anthropic/large');
    assert.equal(chooseModel({}, [away, slow]).name, 'openai/small');
    assert.equal(chooseModel({}, [{ ...blind, waitMs: 1 }, large]).name, 'anthropic/large');
  });

  it("the user's before any other, even when it is dearer", () => {
    const choice = chooseModel({}, fleet, { preferred: ['anthropic/large'] });
    assert.equal(choice.name, 'anthropic/large');
    assert.equal(choice.reason, undefined);
  });

  it('that sees, while an image is in the conversation, and the preferred one again afterwards', () => {
    const policy = { preferred: ['local/blind'] };
    const image = { type: 'image' as const, mediaType: 'image/png' as const, data: 'aGk=' };
    const ask = (content: unknown[]): ReturnType<typeof chooseModel> => {
      const request = llmRequestSchema.parse({ model: 'x', messages: [{ role: 'user', content }] });
      return chooseModel(needsOf(request, 100), fleet, policy);
    };
    const text = { type: 'text', text: 'what is on it?' };
    assert.equal(ask([text]).name, 'local/blind');
    const switched = ask([text, image]);
    assert.equal(switched.name, 'openai/small');
    assert.equal(switched.reason, 'local/blind: no images');
    assert.equal(ask([text]).name, 'local/blind');
  });

  it('that sees, when the image is in the result of a tool', () => {
    const request = llmRequestSchema.parse({
      model: 'x',
      messages: [
        { role: 'user', content: [{ type: 'text', text: 'look' }] },
        { role: 'assistant', content: [{ type: 'tool-call', id: '1', name: 'screenshot', arguments: {} }] },
        {
          role: 'tool',
          content: [
            {
              type: 'tool-result',
              callId: '1',
              name: 'screenshot',
              content: [{ type: 'image', mediaType: 'image/png', data: 'aGk=' }],
            },
          ],
        },
      ],
    });
    assert.equal(needsOf(request, 0).vision, true);
  });

  it('never for images alone where the policy forbids others', () => {
    const error = refusal(() => chooseModel({ vision: true }, fleet, { preferred: ['local/blind'], others: 'never' }));
    assert.equal(error.code, 'llm.unsupported');
    assert.match(error.message, /local\/blind \(no images\).*anthropic\/large or openai\/small would do/);
  });
});

describe('no model', () => {
  it('is an error that names what is missing and what came nearest', () => {
    const error = refusal(() =>
      chooseModel({ tools: true, vision: true }, [
        model('a/one', { tools: false, vision: false }),
        model('b/two', { tools: false }),
      ]),
    );
    assert.equal(error.code, 'llm.unsupported');
    assert.match(
      error.message,
      /needs tools and images\. Nearest: b\/two \(no tools\), a\/one \(no tools; no images\)/,
    );
  });

  it('of that name is an error with the nearest names', () => {
    const error = refusal(() => chooseModel({}, fleet, { preferred: ['anthropic/larg'] }));
    assert.equal(error.code, 'llm.model-not-found');
    assert.match(error.message, /did you mean anthropic\/large\?/);
  });

  it('says which limit was the one that did not hold', () => {
    const tooLong = refusal(() => chooseModel({ promptTokens: 300_000 }, fleet));
    assert.equal(tooLong.code, 'llm.context-exceeded');
    assert.match(tooLong.message, /200,000 tokens where 300,000/);
    const tooDear = refusal(() => chooseModel({ promptTokens: 100_000 }, [large], { maxUsdPerCall: 0.1 }));
    assert.equal(tooDear.code, 'budget.exceeded');
    const away = refusal(() =>
      chooseModel({}, [
        { ...large, waitMs: 9_000 },
        { ...small, waitMs: 4_000 },
      ]),
    );
    assert.equal(away.code, 'llm.unavailable');
    assert.equal(away.details.retryAfterMs, 4_000);
    assert.equal(refusal(() => chooseModel({}, [])).code, 'llm.not-configured');
  });
});

describe('a fallback chain', () => {
  it('goes to another provider before another model of the same', () => {
    const listed = ['a/1', 'a/2', 'b/1', 'c/1'].map((name, index) => model(name, price(index, index)));
    assert.deepEqual(fallbackChain({}, listed), ['a/1', 'b/1', 'c/1']);
    assert.deepEqual(fallbackChain({}, listed, {}, 9), ['a/1', 'b/1', 'c/1', 'a/2']);
  });

  it('stays among the preferred models unless others are allowed', () => {
    const policy = { preferred: ['anthropic/large', 'openai/small'] };
    assert.deepEqual(fallbackChain({}, fleet, policy), ['anthropic/large', 'openai/small']);
    assert.deepEqual(fallbackChain({}, fleet, { ...policy, others: 'any' }), [
      'anthropic/large',
      'openai/small',
      'local/blind',
    ]);
    assert.deepEqual(fallbackChain({}, fleet, { ...policy, others: 'any' }, 1), ['anthropic/large']);
  });
});
