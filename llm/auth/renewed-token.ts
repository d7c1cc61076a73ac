import type { Token, TokenStore } from './token-store.ts';

/** A token is renewed this long before it expires, so that no call sets out with one that expires on the way. */
const marginMs = 60_000;

export interface RenewedTokenOptions {
  store: TokenStore;
  /** Under which the store keeps it. */
  name: string;
  /** Gets a new token in place of the old one, if there was one. */
  renew(old: Token | undefined, signal: AbortSignal | undefined): Promise<Token>;
}

/** A token that is renewed when it is about to expire: once, however many processes and calls need it at that moment. */
export class RenewedToken {
  readonly #options: RenewedTokenOptions;
  #known: Token | undefined;

  constructor(options: RenewedTokenOptions) {
    this.#options = options;
  }

  /** A token that is good for at least a minute. Throws what `renew` throws. */
  async get(signal?: AbortSignal): Promise<Token> {
    if (isFresh(this.#known)) return this.#known;
    this.#known = await this.#options.store.get(this.#options.name);
    if (isFresh(this.#known)) return this.#known;
    return this.#renew(undefined, signal);
  }

  /** A token other than the one that was refused. */
  async replace(refused: string | undefined, signal?: AbortSignal): Promise<Token> {
    if (isFresh(this.#known) && this.#known.accessToken !== refused) return this.#known;
    return this.#renew(refused, signal);
  }

  async #renew(refused: string | undefined, signal: AbortSignal | undefined): Promise<Token> {
    const { store, name, renew } = this.#options;
    this.#known = await store.exclusively(
      name,
      async () => {
        const stored = await store.get(name);
        // Somebody else may have renewed it while this one waited.
        if (isFresh(stored) && stored.accessToken !== refused) return stored;
        const token = await renew(stored, signal);
        await store.put(name, token);
        return token;
      },
      signal,
    );
    return this.#known;
  }
}

function isFresh(token: Token | undefined): token is Token {
  return token !== undefined && (token.expiresAt ?? Infinity) - Date.now() > marginMs;
}
