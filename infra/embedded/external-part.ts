import { setTimeout as sleep } from 'node:timers/promises';
import type { PartName, PartState } from './state.ts';

const patienceMs = 10_000;
const intervalMs = 1000;

export interface ExternalPartOptions {
  name: PartName;
  address: string;
  /** Throws what is in the way of using it. */
  check: () => Promise<void>;
  onChange: () => void;
}

/** A server of the user's that stands in for an embedded part. It is only asked whether it can be used, until it can. */
export class ExternalPart {
  readonly #options: ExternalPartOptions;
  readonly #stopped = new AbortController();
  #usable = false;
  #reason: string | undefined;

  constructor(options: ExternalPartOptions) {
    this.#options = options;
  }

  get state(): PartState {
    const { name, address } = this.#options;
    const base = { name, address, identity: null };
    return this.#reason === undefined
      ? { ...base, state: 'external' }
      : { ...base, state: 'failed', reason: this.#reason };
  }

  get isUsable(): boolean {
    return this.#usable;
  }

  run(): void {
    void this.#tryUntilUsable();
  }

  stop(): Promise<void> {
    this.#stopped.abort();
    return Promise.resolve();
  }

  abandon(): Promise<void> {
    return this.stop();
  }

  async #tryUntilUsable(): Promise<void> {
    const deadline = Date.now() + patienceMs;
    while (!this.#stopped.signal.aborted && !this.#usable) {
      try {
        await this.#options.check();
        this.#usable = true;
        this.#reason = undefined;
      } catch (error) {
        const { message, code } = error as Error & { code?: string };
        if (Date.now() > deadline) this.#reason = `cannot be used: ${message || code}`;
        await sleep(intervalMs, undefined, { signal: this.#stopped.signal }).catch(() => undefined);
      }
      this.#options.onChange();
    }
  }
}
