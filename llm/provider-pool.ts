import type { Config } from '../config/schema.ts';
import type { LlmRequest } from '../contracts/llm.ts';
import type { TokenStore } from './auth/token-store.ts';
import { ModelStore } from './local/store.ts';
import type { LlmProvider } from './provider.ts';
import { openProvider, providerNames } from './providers/registry.ts';
import { resolveSecret } from '../config/secret.ts';

type ProviderSettings = Config['llm']['anthropic'];

/** The providers of the configuration, each opened when it is first asked for. */
export class ProviderPool {
  private readonly config: Config['llm'];
  /** Tokens of the providers that one logs in to. */
  readonly tokens: TokenStore;
  /** Where local models are. */
  private readonly home: string;
  private readonly open = new Map<string, Promise<LlmProvider>>();

  constructor(config: Config['llm'], tokens: TokenStore, home: string) {
    this.config = config;
    this.tokens = tokens;
    this.home = home;
  }

  /** Names of the providers that somebody has given a key or an address, has logged in to, or has pulled a model for. */
  async configured(): Promise<string[]> {
    const known = await Promise.all(
      providerNames.map(async (name) => {
        if (name === 'llamacpp') return new ModelStore(this.home).hasAny();
        const { apiKey, baseUrl } = this.settings(name) ?? {};
        if (name === 'gemini' && this.config.gemini.project !== undefined) return true;
        return apiKey !== undefined || baseUrl !== undefined || (await this.isLoggedIn(name));
      }),
    );
    return providerNames.filter((_, index) => known[index]);
  }

  /** Forgets a provider that was opened, so that it is opened anew with what is configured now. */
  forget(name: string): void {
    this.open.delete(name);
  }

  /** Throws `usage.invalid` for an unknown provider, `llm.not-configured` for one without a key. */
  async get(name: string): Promise<LlmProvider> {
    let provider = this.open.get(name);
    if (!provider) {
      provider = this.openOne(name);
      this.open.set(name, provider);
      provider.catch(() => this.open.delete(name));
    }
    return await provider;
  }

  /** What the user has configured to be laid over every request to a provider; see `providerOptions`. */
  options(name: string): LlmRequest['providerOptions'] {
    const options = this.settings(name)?.options;
    return options === undefined ? {} : { [name]: options };
  }

  /** What the user allows, or the provider takes, in a minute; undefined: no limit is known. */
  tokensPerMinute(name: string): number | undefined {
    return this.settings(name)?.tokensPerMinute;
  }

  async close(): Promise<void> {
    const opened = await Promise.allSettled(this.open.values());
    for (const one of opened) if (one.status === 'fulfilled') await one.value.close();
  }

  private async isLoggedIn(name: string): Promise<boolean> {
    const token = await this.tokens.get(name).catch(() => undefined);
    return token !== undefined;
  }

  private settings(name: string): ProviderSettings | undefined {
    return (this.config as unknown as Record<string, ProviderSettings | undefined>)[name];
  }

  private async openOne(name: string): Promise<LlmProvider> {
    const { apiKey, options: _, ...own } = this.settings(name) ?? {};
    return await openProvider(name, {
      ...own,
      apiKey: apiKey === undefined ? undefined : resolveSecret(`llm.${name}.apiKey`, apiKey),
      tokens: this.tokens,
      home: this.home,
    });
  }
}
