import assert from 'node:assert/strict';
import { HelixError } from '../../contracts/error.ts';
import { llmRequestSchema, type ModelInfo } from '../../contracts/llm.ts';
import { type AutoPolicy, chooseAutomatically } from '../../llm/routing/auto.ts';
import { parseModelName } from '../../llm/routing/model-name.ts';
import { hasImages, type ModelNeeds } from '../../llm/routing/needs.ts';
import { type Candidate, route } from '../../llm/routing/route.ts';

const all = { tools: true, vision: true, thinking: true, structuredOutput: true, promptCache: true };

function info(name: string, more: Partial<ModelInfo> = {}): ModelInfo {
  const { provider, model: id } = parseModelName(name);
  return { provider, id, contextTokens: 200_000, ...all, ...more };
}

function model(name: string, more: Partial<ModelInfo> = {}, waitMs = 0): Candidate {
  return { name, info: info(name, more), waitMs };
}

function refusal(run: () => unknown): HelixError {
  try {
    run();
  } catch (error) {
    assert.ok(error instanceof HelixError, String(error));
    return error;
  }
  throw new assert.AssertionError({ message: 'nothing was refused' });
}

const price = (input: number, output: number): Partial<ModelInfo> => ({ price: { input, output } });

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

describe('a call goes to', () => {
  const plain: ModelNeeds = { tools: true, vision: false, tokens: 10_000 };
  const blind = model('local/blind', { vision: false });
  const seeing = model('a/seeing', price(3, 15));
  const cheap = model('b/cheap', price(1, 2));
  const goes = (current: string, needs: ModelNeeds, chain: Candidate[], others: Candidate[] = []): unknown =>
    route(current, needs, chain, others);

  it("the first of the user's models that can be asked now", () => {
    assert.equal((route('local/blind', plain, [blind, seeing], []) as { model: string }).model, 'local/blind');
    assert.deepEqual(goes('a/seeing', plain, [model('a/seeing', {}, 8_000), cheap]), {
      model: 'b/cheap',
      reason: 'a/seeing is not asked for another 8 s',
    });
    assert.deepEqual(goes('b/cheap', plain, [seeing, cheap]), {
      model: 'a/seeing',
      reason: 'a/seeing will do again',
    });
  });

  it('a model that sees while there is an image: one of the chain, or else the cheapest there is', () => {
    const needs = { ...plain, vision: true };
    const reason = 'local/blind cannot see images';
    assert.deepEqual(goes('local/blind', needs, [blind, seeing], [cheap]), { model: 'a/seeing', reason });
    assert.deepEqual(goes('local/blind', needs, [blind], [seeing, cheap, blind]), { model: 'b/cheap', reason });
    const error = refusal(() => goes('local/blind', needs, [blind], [blind]));
    assert.equal(error.code, 'llm.unsupported');
    assert.match(error.message, /image in the conversation: local\/blind cannot see images.*anthropic\//);
  });

  it('a model with more room before the conversation is compressed, and otherwise to the one with the most', () => {
    const small = model('a/small', { contextTokens: 16_000 });
    const middle = model('b/middle', { contextTokens: 64_000 });
    const large = model('c/large', { contextTokens: 1_000_000 });
    const chain = [small, middle, large];
    assert.equal((route('a/small', { ...plain, tokens: 60_000 }, chain, []) as { model: string }).model, 'b/middle');
    const long = route('a/small', { ...plain, tokens: 70_000 }, chain, []);
    assert.deepEqual(long, {
      model: 'c/large',
      reason: 'the conversation, about 70,000 tokens, is too long for a/small',
    });
    const longer = { ...plain, tokens: 2_000_000 };
    assert.equal((route('a/small', longer, chain, []) as { model: string }).model, 'c/large');
    const away = [small, middle, model('c/large', { contextTokens: 1_000_000 }, 5_000)];
    assert.equal((route('a/small', longer, away, []) as { model: string }).model, 'b/middle');
  });

  it('nobody for as long as all that could are away', () => {
    const needs = { ...plain, vision: true };
    assert.deepEqual(goes('local/blind', needs, [blind, model('a/x', {}, 9_000), model('b/x', {}, 4_000)]), {
      waitMs: 4_000,
    });
  });

  it('a model that nobody knows as if it could do everything', () => {
    const unknown: Candidate = { name: 'compatible/x', info: undefined };
    assert.equal(
      (route('compatible/x', { ...plain, vision: true }, [unknown], []) as { model: string }).model,
      'compatible/x',
    );
  });
});

describe('images', () => {
  it('are seen in messages and in the results of tools', () => {
    const image = { type: 'image', mediaType: 'image/png', data: 'aGk=' };
    const seen = (message: unknown): boolean =>
      hasImages(llmRequestSchema.parse({ model: 'x', messages: [message] }).messages);
    assert.equal(seen({ role: 'user', content: [{ type: 'text', text: 'a' }] }), false);
    assert.equal(seen({ role: 'user', content: [{ type: 'text', text: 'a' }, image] }), true);
    const result = { type: 'tool-result', callId: '1', name: 'read', content: [image] };
    assert.equal(seen({ role: 'tool', content: [result] }), true);
  });
});

describe('a model is chosen automatically', () => {
  const needs: ModelNeeds = { tools: true, vision: false, tokens: 50_000 };
  const policy: AutoPolicy = { prefer: 'cheapest', usual: new Set(['b/middle']), away: new Set(), limit: 3 };
  const models = [
    info('a/dear', price(10, 50)),
    info('a/cheap', price(1, 5)),
    info('b/cheapest', { ...price(0.1, 0.4), tools: false }),
    info('b/middle', { ...price(2, 10), vision: false }),
    info('c/unknown'),
    info('c/narrow', { ...price(0.1, 0.1), contextTokens: 16_000 }),
  ];

  it('by price among those that can do what is needed, the next ones of other providers', () => {
    assert.deepEqual(chooseAutomatically(needs, models, policy), ['a/cheap', 'b/middle', 'c/unknown']);
    assert.deepEqual(chooseAutomatically(needs, models, { ...policy, prefer: 'best' }), [
      'b/middle',
      'a/dear',
      'c/unknown',
    ]);
    assert.deepEqual(chooseAutomatically({ ...needs, vision: true }, models, { ...policy, limit: 2 }), [
      'a/cheap',
      'c/unknown',
    ]);
  });

  it('of a provider that is away only after all others', () => {
    assert.deepEqual(chooseAutomatically(needs, models, { ...policy, away: new Set(['a']) }), [
      'b/middle',
      'c/unknown',
      'a/cheap',
    ]);
  });

  it('never when none can: that is an error which says what is needed', () => {
    const error = refusal(() => chooseAutomatically({ ...needs, tokens: 3_000_000 }, models, policy));
    assert.equal(error.code, 'llm.unsupported');
    assert.match(error.message, /none of the 6 models .* 3,000,000 tokens/);
  });
});
