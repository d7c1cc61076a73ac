import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { modelInfoSchema } from '../../contracts/llm.ts';
import { costOf, knownModels, modelInfo } from '../../llm/models/catalog.ts';
import { nearestNames } from '../../contracts/nearest-names.ts';

const folder = join(import.meta.dirname, '../../llm/models');
const usage = { input: 0, output: 0, thinking: 0, cacheRead: 0, cacheWrite: 0 };

describe('the catalog of models', () => {
  for (const file of readdirSync(folder).filter((name) => name.endsWith('.json'))) {
    it(`${file} says where its numbers come from, and holds models`, () => {
      const catalog = JSON.parse(readFileSync(join(folder, file), 'utf8')) as {
        provider: string;
        source: string;
        date: string;
        models: { id: string }[];
      };
      assert.equal(`${catalog.provider}.json`, file);
      assert.ok(catalog.source.length > 20);
      assert.match(catalog.date, /^\d{4}-\d{2}-\d{2}$/);
      const ids = catalog.models.map(({ id }) => id);
      assert.deepEqual(ids, [...new Set(ids)]);
      for (const model of catalog.models) modelInfoSchema.strict().parse({ provider: catalog.provider, ...model });
    });
  }

  it('knows a model by its name, by a dated version, and by the longest pattern', () => {
    assert.equal(modelInfo('anthropic', 'claude-opus-4-5')?.price?.input, 5);
    assert.deepEqual(modelInfo('anthropic', 'claude-opus-4-5-20251101'), {
      ...modelInfo('anthropic', 'claude-opus-4-5'),
      id: 'claude-opus-4-5-20251101',
    });
    assert.equal(modelInfo('openai', 'gpt-4o-mini-2024-07-18')?.price?.input, 0.15);
    assert.equal(modelInfo('ollama', 'qwen3-coder:30b')?.contextTokens, 262_144);
    assert.equal(modelInfo('ollama', 'qwen3:8b')?.contextTokens, 40_960);
  });

  it('does not give a model the price of another that is named alike', () => {
    assert.equal(modelInfo('openai', 'gpt-5-ultra')?.price, undefined);
    assert.equal(modelInfo('anthropic', 'claude-opus-4-9')?.price, undefined);
    assert.equal(modelInfo('anthropic', 'claude-opus-4-9')?.tools, true);
  });

  it('knows nothing of models and providers that it does not hold', () => {
    assert.equal(modelInfo('anthropic', 'gpt-5'), undefined);
    assert.equal(modelInfo('nobody', 'claude-opus-5'), undefined);
    assert.equal(modelInfo('constructor', 'toString'), undefined);
  });

  it('knows at a reseller what it knows at the vendor, with prices only where they hold', () => {
    const routed = modelInfo('openrouter', 'anthropic/claude-opus-4.5:beta');
    assert.deepEqual([routed?.provider, routed?.price?.output], ['openrouter', 25]);
    assert.equal(modelInfo('openrouter', 'google/gemini-2.5-pro')?.price?.longPrompt?.aboveTokens, 200_000);
    const copilot = modelInfo('copilot', 'claude-sonnet-4.5');
    assert.deepEqual([copilot?.vision, copilot?.price], [true, undefined]);
  });

  it('gives way to what configuration says, also of models that only it knows', () => {
    const overrides = {
      'anthropic/claude-opus-5': { price: { input: 1, output: 2 } },
      'vllm/my-model': { contextTokens: 32_768, vision: true },
    };
    const opus = modelInfo('anthropic', 'claude-opus-5', overrides);
    assert.deepEqual([opus?.price, opus?.contextTokens], [{ input: 1, output: 2 }, 1_000_000]);
    assert.deepEqual(modelInfo('vllm', 'my-model', overrides), {
      provider: 'vllm',
      id: 'my-model',
      contextTokens: 32_768,
      tools: true,
      vision: true,
      thinking: false,
      structuredOutput: false,
      promptCache: false,
    });
    assert.deepEqual(
      knownModels('vllm', overrides).map(({ id }) => id),
      ['my-model'],
    );
  });

  it('names the models of a provider, without patterns', () => {
    const ids = knownModels('anthropic').map(({ id }) => id);
    assert.ok(ids.includes('claude-opus-5-5'));
    assert.ok(!ids.some((id) => id.includes('*')));
    assert.deepEqual(knownModels('nobody'), []);
  });
});

describe('the cost of a call', () => {
  const price = { input: 3, output: 15, cacheRead: 0.3, cacheWrite: 3.75 };

  it('charges what came from the cache and went into it apart', () => {
    const call = {
      ...usage,
      input: 1_000_000,
      cacheRead: 600_000,
      cacheWrite: 100_000,
      output: 10_000,
      thinking: 9000,
    };
    assert.equal(costOf(call, price)?.toFixed(6), (0.3 * 3 + 0.6 * 0.3 + 0.1 * 3.75 + 0.01 * 15).toFixed(6));
    assert.equal(costOf({ ...usage, input: 1000, cacheRead: 1000 }, { input: 3, output: 15 }), 0.003);
  });

  it('charges the whole of a long prompt at its own price', () => {
    const tiered = { ...price, longPrompt: { aboveTokens: 200_000, input: 6, output: 30 } };
    assert.equal(costOf({ ...usage, input: 200_000 }, tiered), 0.6);
    assert.equal(costOf({ ...usage, input: 300_000, output: 1000 }, tiered), (300_000 * 6 + 1000 * 30) / 1e6);
  });

  it('is what the provider reported, where it did, and unknown without a price', () => {
    assert.equal(costOf({ ...usage, input: 1000, reportedCost: 0.5 }, price), 0.5);
    assert.equal(costOf({ ...usage, reportedCost: 0 }, price), 0);
    assert.equal(costOf({ ...usage, input: 1000 }, undefined), undefined);
  });
});

describe('names that are near', () => {
  it('are those a slip away, the nearest first', () => {
    const known = ['claude-opus-5', 'claude-opus-5-5', 'gpt-5', 'gemini-2.5-pro'];
    assert.deepEqual(nearestNames('cluade-opus-5', known), ['claude-opus-5', 'claude-opus-5-5']);
    assert.deepEqual(nearestNames('GEMINI-2.5-PRO', known), ['gemini-2.5-pro']);
    assert.deepEqual(nearestNames('opus', known), ['claude-opus-5', 'claude-opus-5-5']);
    assert.deepEqual(nearestNames('llama', known), []);
  });
});
