import { isAbsolute } from 'node:path';
import type { Config } from '../config/schema.ts';
import type { LoginEvent, LoginRequest, ModelList, ModelTest, ModelTestEvent } from '../contracts/api.ts';
import { nodeOfModel } from '../contracts/derived.ts';
import { type ErrorCode, HelixError } from '../contracts/error.ts';
import { type LlmRequest, llmRequestSchema, type LlmStreamEvent, type ModelInfo } from '../contracts/llm.ts';
import { nearestNames } from '../contracts/nearest-names.ts';
import { login } from './login.ts';
import { costOf, knownModels, modelInfo } from './models/catalog.ts';
import type { ProviderPool } from './provider-pool.ts';
import { providerNames } from './providers/registry.ts';
import { auto, chooseAutomatically } from './routing/auto.ts';
import { configuredModels } from './routing/configured-models.ts';
import type { ModelNeeds } from './routing/needs.ts';
import { parseModelName } from './routing/model-name.ts';
import { seeingExamples } from './routing/route.ts';

/** What a user without a wish gets from each provider. */
const usualModels: Readonly<Record<string, string>> = {
  anthropic: 'claude-sonnet-5-5',
  gemini: 'gemini-2.5-pro',
  openai: 'gpt-5.1',
  xai: 'grok-4',
  qwen: 'qwen3-coder-plus',
  openrouter: 'anthropic/claude-sonnet-4.5',
  copilot: 'gpt-4.1',
};

/** What will be the same when the job asks. */
const definite = new Set<ErrorCode>(['usage.invalid', 'llm.not-configured', 'llm.authentication']);

/** A provider that failed so many times in a row is not asked for this long. */
export interface OpenCircuit {
  provider: string;
  faults: number;
  waitMs: number;
  reason: string;
}

/** What an agent needs for a conversation of some length. */
const automaticTokens = 60_000;
/** How many models of different providers `auto` names, where the user names no other to go on with. */
const automaticChain = 3;
const mostTried = 12;
const listingMs = 10_000;
const testTokens = 4_096;

/** Servers of the user's own do not say it. */
function canSee({ provider, vision }: ModelInfo): boolean {
  return vision || provider === 'compatible';
}

/** Models of llama.cpp on nodes. Names are those behind `llamacpp/`. */
export interface ModelsOnNodes {
  nodeModels(): Promise<ModelInfo[]>;
  /** Full names of a model everywhere it is, the best place first. */
  placesOf(name: string): Promise<string[]>;
  /** As a provider's, for a model named with its node. */
  generateStream(request: LlmRequest, signal: AbortSignal): AsyncIterable<LlmStreamEvent>;
}

const noNodes: ModelsOnNodes = {
  nodeModels: () => Promise.resolve([]),
  placesOf: () => Promise.resolve([]),
  generateStream: ({ model }) => {
    throw new HelixError('llm.model-not-found', `there is no node with llamacpp/${model}`);
  },
};

/** Which models there are, and which one a job is to have. */
export class ModelService {
  private readonly pool: ProviderPool;
  private readonly config: Config['llm'];
  private readonly circuits: () => Promise<OpenCircuit[]>;
  private readonly onNodes: ModelsOnNodes;

  /** `circuits` are those of providers that are spared for now. */
  constructor(
    pool: ProviderPool,
    config: Config['llm'],
    circuits: () => Promise<OpenCircuit[]>,
    onNodes: ModelsOnNodes = noNodes,
  ) {
    this.pool = pool;
    this.config = config;
    this.circuits = circuits;
    this.onNodes = onNodes;
  }

  /**
   * The models for a job, checked as far as the provider says: the one wished for, else the configured one, else the usual one of the only provider
   * that is configured; for `auto` some that are chosen by price. Empty when none is wanted or there is none. Throws `usage.invalid`, `llm.not-configured`, `llm.authentication` and
   * `llm.model-not-found`; a provider that cannot be reached now is no error: it may be back when it is needed. With `vision`, `llm.unsupported` when neither they nor any other configured model take images.
   */
  async choose(
    wish: string | null | undefined,
    fallback?: readonly string[],
    needs: Partial<Pick<ModelNeeds, 'vision'>> = {},
  ): Promise<string[]> {
    if (wish === null) return [];
    const first = wish ?? (await this.usual());
    if (first === undefined) return [];
    const named = fallback ?? this.config.fallback?.split(',').map((name) => name.trim());
    const taken = first === auto ? await this.automatic(named === undefined ? automaticChain : 1, needs) : [first];
    // A model that is on several nodes stands in for itself.
    const places = await Promise.all([...taken, ...(named ?? [])].map((name) => this.places(name)));
    const models = [...new Set(places.flat())];
    const infos: (ModelInfo | undefined)[] = [];
    for (const name of models) infos.push(await this.check(name));
    // Where none of these sees, another model is taken for as long as there are images.
    if (needs.vision && infos.every((info) => info && !canSee(info)) && (await this.seeing()).length === 0)
      throw new HelixError(
        'llm.unsupported',
        `${models.join(' and ')} cannot look at images, and no configured provider has a model that does: name one with --model or --fallback, e.g. ${seeingExamples}`,
      );
    return models;
  }

  async list(): Promise<ModelList> {
    const configured = await this.configured();
    const circuits = await this.circuits();
    const providers = await Promise.all(
      providerNames.map(async (name) => {
        if (!configured.includes(name)) return { name, configured: false, models: knownModels(name) };
        const circuit = circuits.find(({ provider }) => provider === name);
        const about = { name, configured: true, ...(circuit ? { circuit: view(circuit) } : {}) };
        try {
          return { ...about, models: await this.modelsOf(name) };
        } catch (error) {
          return { ...about, reason: (error as Error).message, models: knownModels(name) };
        }
      }),
    );
    const usual = await this.usual();
    const first = usual === auto ? (await this.automatic(1).catch(() => []))[0] : usual;
    return { default: first ?? null, providers };
  }

  /** Asks a model one thing, and tells what comes. */
  async *test(test: ModelTest, signal: AbortSignal): AsyncGenerator<ModelTestEvent> {
    const [place = test.model] = await this.places(test.model);
    const { provider: providerName, model } = parseModelName(place);
    const provider = await this.pool.get(providerName);
    const startedAt = performance.now();
    const elapsed = (): number => Math.round(performance.now() - startedAt);
    let firstTokenMs: number | null = null;
    const request = llmRequestSchema.parse({
      model,
      messages: [{ role: 'user', content: [{ type: 'text', text: test.prompt }] }],
      maxTokens: test.maxTokens ?? testTokens,
      providerOptions: this.pool.options(providerName),
    });
    const isOnNode = nodeOfModel(place) !== undefined;
    const events = isOnNode
      ? this.onNodes.generateStream(request, signal)
      : provider.generateStream(request, { signal });
    for await (const event of events) {
      firstTokenMs ??= elapsed();
      if (event.type === 'text' || event.type === 'thinking') yield event;
      if (event.type !== 'finish') continue;
      const { usage, stopReason } = event.response;
      const usd = costOf(usage, modelInfo(providerName, model)?.price) ?? null;
      yield {
        type: 'finish',
        model: `${providerName}/${event.response.model}`,
        stopReason,
        usage,
        usd,
        firstTokenMs,
        durationMs: elapsed(),
      };
    }
  }

  /** See `login`. */
  login(request: LoginRequest, signal: AbortSignal): AsyncGenerator<LoginEvent> {
    return login(this.pool, request, signal);
  }

  private async automatic(limit: number, wanted: Partial<Pick<ModelNeeds, 'vision'>> = {}): Promise<string[]> {
    const models = await configuredModels(this.pool);
    if (models.length === 0)
      throw new HelixError(
        'llm.not-configured',
        'no provider of models is configured: set the key of one in the environment (ANTHROPIC_API_KEY, OPENAI_API_KEY, GEMINI_API_KEY ...) or in the configuration',
      );
    const away = new Set((await this.circuits()).map(({ provider }) => provider));
    const usual = new Set(Object.entries(usualModels).map(([provider, model]) => `${provider}/${model}`));
    const needs = { tools: true, vision: wanted.vision === true, tokens: automaticTokens };
    const ranked = chooseAutomatically(needs, models, { prefer: this.config.prefer, usual, away, limit: mostTried });
    const chosen: string[] = [];
    let refusal: unknown;
    for (const name of ranked) {
      if (chosen.length === limit) break;
      // One that its provider has not, or not for this key, is left out.
      await this.check(name).then(
        () => chosen.push(name),
        (error: unknown) => (refusal = error),
      );
    }
    if (chosen.length === 0) throw refusal;
    return chosen;
  }

  private async usual(): Promise<string | undefined> {
    if (this.config.model !== undefined) return this.config.model;
    const configured = await this.configured();
    // A model on this machine is for those who ask for it, or have no other.
    const remote = configured.filter((name) => name !== 'llamacpp');
    const [only, ...others] = remote.length > 0 ? remote : configured;
    if (only === undefined || others.length > 0) return undefined;
    const usual = usualModels[only];
    if (usual !== undefined) return `${only}/${usual}`;
    // A server of the user's own has what they put there.
    const first = await this.modelsOf(only).catch(() => []);
    return first[0] && `${only}/${first[0].id}`;
  }

  /** What is known of a model that a job may have. Throws when it cannot be asked at all. */
  private async check(name: string): Promise<ModelInfo | undefined> {
    const { provider, model } = parseModelName(name);
    // A file, which is looked at when it is loaded.
    if (provider === 'llamacpp' && isAbsolute(model)) return undefined;
    let models: ModelInfo[];
    try {
      models = await this.modelsOf(provider);
    } catch (error) {
      if (error instanceof HelixError && definite.has(error.code)) throw error;
      return modelInfo(provider, model);
    }
    const known = [...models, ...knownModels(provider)];
    // A provider lists its models with their dates, and takes them without.
    const isKnown = known.some(({ id }) => id === model || id.startsWith(`${model}-`));
    if (!isKnown && models.length > 0) {
      const near = nearestNames(
        model,
        known.map((one) => one.id),
      );
      throw new HelixError(
        'llm.model-not-found',
        `${provider} has no model ${model}${near.length > 0 ? `; did you mean ${near.join(' or ')}?` : ''} ("helix models" lists them)`,
      );
    }
    const info = models.find((one) => one.id === model) ?? modelInfo(provider, model);
    if (info && !info.tools)
      throw new HelixError('llm.unsupported', `${name} cannot use tools, which an agent needs: name another model`);
    return info;
  }

  /** Configured models that take images and use tools. */
  private async seeing(): Promise<ModelInfo[]> {
    return (await configuredModels(this.pool)).filter((info) => info.tools && canSee(info));
  }

  private async modelsOf(provider: string): Promise<ModelInfo[]> {
    const listed = (await this.pool.get(provider)).getModels({ signal: AbortSignal.timeout(listingMs) });
    return provider === 'llamacpp' ? [...(await listed), ...(await this.onNodes.nodeModels())] : await listed;
  }

  private async configured(): Promise<string[]> {
    const configured = await this.pool.configured();
    if (configured.includes('llamacpp') || (await this.onNodes.nodeModels()).length === 0) return configured;
    return [...configured, 'llamacpp'];
  }

  /** The names under which a model is asked for, the best first: of llama.cpp one for each place that it is at. */
  private async places(name: string): Promise<string[]> {
    const { provider, model } = parseModelName(name);
    if (provider !== 'llamacpp' || isAbsolute(model)) return [name];
    const places = await this.onNodes.placesOf(model);
    return places.length > 0 ? places : [name];
  }
}

function view({ faults, waitMs, reason }: OpenCircuit): NonNullable<ModelList['providers'][number]['circuit']> {
  return { failures: faults, until: new Date(Date.now() + waitMs).toISOString(), reason };
}
