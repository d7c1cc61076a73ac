import type { ModelInfo, Price, Usage } from '../../contracts/llm.ts';
import anthropic from './anthropic.json' with { type: 'json' };
import copilot from './copilot.json' with { type: 'json' };
import gemini from './gemini.json' with { type: 'json' };
import llamacpp from './llamacpp.json' with { type: 'json' };
import ollama from './ollama.json' with { type: 'json' };
import openai from './openai.json' with { type: 'json' };
import openrouter from './openrouter.json' with { type: 'json' };
import qwen from './qwen.json' with { type: 'json' };
import xai from './xai.json' with { type: 'json' };

/** What configuration knows better, by `provider/model`: members given replace those of the catalog. */
export type ModelOverrides = Record<string, Partial<Omit<ModelInfo, 'provider' | 'id'>>>;

type Facts = Omit<ModelInfo, 'provider' | 'id'>;
type Entry = { id: string } & Facts;

/** One data file. `source` and `date` say where its numbers come from and how old they are. */
interface Catalog {
  provider: string;
  source: string;
  date: string;
  /** An id stands for itself and its dated versions; one with `*` for all names it matches. */
  models: readonly Entry[];
  /** Names that begin with `prefix` are models of another provider, with or without its prices; behind a `/` stands its own name for them. */
  borrows?: readonly { prefix: string; from: string; prices: boolean }[];
}

const files: readonly Catalog[] = [anthropic, copilot, gemini, llamacpp, ollama, openai, openrouter, qwen, xai];
const catalogs = new Map(files.map((catalog) => [catalog.provider, catalog]));

/** What is the same of every model that only configuration knows. */
const unknownModel: Facts = {
  tools: true,
  vision: false,
  thinking: false,
  structuredOutput: false,
  promptCache: false,
};

/**
 * What is known of a model: the id itself, then a dated version of it, then the longest pattern. Undefined when neither the catalog nor `overrides`
 * knows it.
 */
export function modelInfo(provider: string, id: string, overrides: ModelOverrides = {}): ModelInfo | undefined {
  const known = lookUp(provider, id);
  const key = `${provider}/${id}`;
  const own = Object.hasOwn(overrides, key) ? overrides[key] : undefined;
  if (!known && !own) return undefined;
  return { ...unknownModel, ...known, ...own, provider, id };
}

/** The models of a provider that the catalog and `overrides` name, without patterns. */
export function knownModels(provider: string, overrides: ModelOverrides = {}): ModelInfo[] {
  const named = (catalogs.get(provider)?.models ?? []).map(({ id }) => id).filter((id) => !id.includes('*'));
  const own = Object.keys(overrides).flatMap((key) =>
    key.startsWith(`${provider}/`) ? [key.slice(provider.length + 1)] : [],
  );
  return [...new Set([...named, ...own])].flatMap((id) => modelInfo(provider, id, overrides) ?? []);
}

/**
 * US dollars for a call: what the provider reported, else what the price list makes of it; undefined when there is neither. What came from and went
 * into the cache is charged at its own price where there is one.
 */
export function costOf(usage: Usage, price: Price | undefined): number | undefined {
  if (usage.reportedCost !== undefined) return usage.reportedCost;
  if (!price) return undefined;
  const { longPrompt } = price;
  const rates = longPrompt && usage.input > longPrompt.aboveTokens ? longPrompt : price;
  const fresh = Math.max(0, usage.input - usage.cacheRead - usage.cacheWrite);
  const cost =
    fresh * rates.input +
    usage.cacheRead * (rates.cacheRead ?? rates.input) +
    usage.cacheWrite * (rates.cacheWrite ?? rates.input) +
    usage.output * rates.output;
  return cost / 1_000_000;
}

/** The catalog's entry for a name, without overrides. */
function lookUp(provider: string, id: string): Facts | undefined {
  const catalog = catalogs.get(provider);
  if (!catalog) return undefined;
  const own = byName(catalog, id) ?? byPattern(catalog, id);
  if (own) return own;
  const borrowed = catalog.borrows?.find(({ prefix }) => id.startsWith(prefix));
  const lender = borrowed && catalogs.get(borrowed.from);
  if (!lender) return undefined;
  const name = id.slice(id.indexOf('/') + 1).replace(/:.*$/, '');
  // Who lends may write versions with dashes where the borrower has dots: claude-opus-4.5.
  const lent = byName(lender, name) ?? byName(lender, name.replaceAll('.', '-')) ?? byPattern(lender, name);
  if (!lent || borrowed.prices) return lent;
  const { price: _, ...free } = lent;
  return free;
}

function byName({ models }: Catalog, id: string): Entry | undefined {
  return (
    models.find((model) => model.id === id) ??
    longest(models.filter((model) => id.startsWith(model.id) && version.test(id.slice(model.id.length))))
  );
}

function byPattern({ models }: Catalog, id: string): Entry | undefined {
  return longest(models.filter((model) => model.id.includes('*') && glob(model.id).test(id)));
}

/** What vendors put behind a name for a version of the same model: dates, build numbers, `latest`. */
const version = /^(?:[-@](?:\d{3,8}|\d{4}-\d{2}-\d{2}|\d{2}-\d{4}|latest|preview|exp|v\d+(?:[:.]\d+)?))+$/;

function longest(entries: readonly Entry[]): Entry | undefined {
  return entries.toSorted((a, b) => b.id.length - a.id.length)[0];
}

function glob(pattern: string): RegExp {
  return new RegExp(`^${pattern.replace(/[.*+?^${}()|[\]\\/]/g, (sign) => (sign === '*' ? '.*' : `\\${sign}`))}$`);
}
