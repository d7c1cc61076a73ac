import { setTimeout as sleep } from 'node:timers/promises';
import { HelixError } from '../contracts/error.ts';

/** Told before each new attempt while the server is away. */
export type OnRetry = (retry: { error: Error; awayMs: number; attempt: number }) => void;

export interface RetryOptions {
  signal?: AbortSignal;
  /** How long the server may be away before the error is thrown on; default two minutes. */
  retryForMs?: number;
  onRetry?: OnRetry;
}

const defaultRetryForMs = 120_000;
const firstDelayMs = 100;
const longestDelayMs = 2_000;

/** Paces the attempts to reach a server that has gone, and gives up when it is away for too long. */
export class Retry {
  readonly #options: RetryOptions;
  #attempt = 0;
  #awaySince: number | undefined;

  constructor(options: RetryOptions) {
    this.#options = options;
  }

  /** To be called whenever the server was heard: its next absence counts from new. */
  heard(): void {
    this.#attempt = 0;
    this.#awaySince = undefined;
  }

  /** Waits before the next attempt. Throws the error on when another attempt cannot help or there were enough of them. */
  async wait(error: unknown): Promise<void> {
    const { signal, onRetry, retryForMs = defaultRetryForMs } = this.#options;
    signal?.throwIfAborted();
    if (!(error instanceof HelixError && error.code === 'stack.unreachable')) throw error;
    this.#awaySince ??= performance.now();
    const awayMs = performance.now() - this.#awaySince;
    if (awayMs >= retryForMs) throw error;
    this.#attempt += 1;
    onRetry?.({ error, awayMs, attempt: this.#attempt });
    await sleep(Math.min(firstDelayMs * 2 ** (this.#attempt - 1), longestDelayMs), undefined, signal ? { signal } : {});
  }
}
