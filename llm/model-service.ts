import { isAbsolute } from 'node:path';
import type { Config } from '../config/schema.ts';
import type { LoginEvent, LoginRequest, ModelList, ModelTest, ModelTestEvent } from '../contracts/api.ts';
import { type ErrorCode, HelixError } from '../contracts/error.ts';
import { llmRequestSchema, type ModelInfo } from '../contracts/llm.ts';
import { nearestNames } from '../contracts/nearest-names.ts';
import { login } from './login.ts';
import { costOf, knownModels, modelInfo } from './models/catalog.ts';
import type { ProviderPool } from './provider-pool.ts';
import { providerNames } from './providers/registry.ts';
import type { ModelNeeds } from './routing/needs.ts';
import { parseModelName } from './routing/model-name.ts';

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

const listingMs = 10_000;
const mostNamed = 5;
const testTokens = 4_096;

/** Servers of the user's own do not say it. */
function canSee({ provider, vision }: ModelInfo): boolean {
  return vision || provider === 'compatible';
}

/** Which models there are, and which one a job is to have. */
export class ModelService {
  private readonly pool: ProviderPool;
  private readonly config: Config['llm'];

  constructor(pool: ProviderPool, config: Config['llm']) {
    this.pool = pool;
    this.config = config;
  }

  /**
   * The models for a job, checked as far as the provider says: the one wished for, else the configured one, else the usual one of the only provider
   * that is configured. Empty when none is wanted or there is none. Throws `usage.invalid`, `llm.not-configured`, `llm.authentication` and
   * `llm.model-not-found`; a provider that cannot be reached now is no error: it may be back when it is needed. With `vision`, `llm.unsupported` when none of them takes images.
   */
  async choose(
    wish: string | null | undefined,
    fallback?: readonly string[],
    needs: Pick<ModelNeeds, 'vision'> = {},
  ): Promise<string[]> {
    if (wish === null) return [];
    const first = wish ?? (await this.usual());
    if (first === undefined) return [];
    const others = fallback ?? this.config.fallback?.split(',').map((name) => name.trim()) ?? [];
    const models = [...new Set([first, ...others])];
    const infos: (ModelInfo | undefined)[] = [];
    for (const name of models) infos.push(await this.check(name));
    if (needs.vision && infos.every((info) => info && !canSee(info))) throw await this.blind(models);
    return models;
  }

  async list(): Promise<ModelList> {
    const configured = await this.pool.configured();
    const providers = await Promise.all(
      providerNames.map(async (name) => {
        if (!configured.includes(name)) return { name, configured: false, models: knownModels(name) };
        try {
          return { name, configured: true, models: await this.modelsOf(name) };
        } catch (error) {
          return { name, configured: true, reason: (error as Error).message, models: knownModels(name) };
        }
      }),
    );
    return { default: (await this.usual()) ?? null, providers };
  }

  /** Asks a model one thing, and tells what comes. */
  async *test(test: ModelTest, signal: AbortSignal): AsyncGenerator<ModelTestEvent> {
    const { provider: providerName, model } = parseModelName(test.model);
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
    for await (const event of provider.generateStream(request, { signal })) {
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

  private async usual(): Promise<string | undefined> {
    if (this.config.model !== undefined) return this.config.model;
    const configured = await this.pool.configured();
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

  /** That none of the models takes images, with some that do. */
  private async blind(models: readonly string[]): Promise<HelixError> {
    const { providers } = await this.list();
    const own = models.map((name) => parseModelName(name).provider);
    const seeing = providers
      .filter(({ configured }) => configured)
      .toSorted((a, b) => Number(own.includes(b.name)) - Number(own.includes(a.name)))
      .flatMap((provider) => provider.models.filter((info) => info.tools && canSee(info)))
      .map(({ provider, id }) => `${provider}/${id}`);
    const others =
      seeing.length > 0
        ? `models that do: ${seeing.slice(0, mostNamed).join(', ')}`
        : 'no configured provider has a model that does';
    return new HelixError('llm.unsupported', `${models.join(' and ')} cannot look at images; ${others}`);
  }

  private async modelsOf(provider: string): Promise<ModelInfo[]> {
    return await (await this.pool.get(provider)).getModels({ signal: AbortSignal.timeout(listingMs) });
  }
}
