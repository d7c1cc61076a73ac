import type { ErrorCode } from '../../contracts/error.ts';

export interface CircuitBreakerOptions {
  /** Milliseconds; only differences count. */
  now: () => number;
  /** Failures in a row that open the circuit. */
  failures?: number;
  /** The first pause; each time a trial fails it doubles. */
  pauseMs?: number;
  longestPauseMs?: number;
  /** A trial that was heard of neither way for this long is given up, and another may be made. */
  trialMs?: number;
}

export type CircuitState = 'closed' | 'open' | 'half-open';

/** `waitMs` says when to ask again. */
export type Admission = { admitted: true } | { admitted: false; waitMs: number };

/** Errors that say the provider itself is unwell, in contrast to the request, the account or its limits. */
const faults: ReadonlySet<ErrorCode> = new Set(['llm.unavailable', 'llm.overloaded', 'llm.malformed-answer']);

export function isProviderFault(code: ErrorCode): boolean {
  return faults.has(code);
}

/**
 * Spares a provider that fails: after some failures in a row nothing is sent for a pause (open), then a single trial (half-open), which closes the circuit
 * or opens it for twice as long.
 */
export class CircuitBreaker {
  private readonly options: Required<CircuitBreakerOptions>;
  private failuresInARow = 0;
  private pauseMs = 0;
  private openUntil: number | undefined;
  private trialSince: number | undefined;

  constructor(options: CircuitBreakerOptions) {
    this.options = { failures: 3, pauseMs: 2_000, longestPauseMs: 5 * 60_000, trialMs: 10 * 60_000, ...options };
  }

  get state(): CircuitState {
    if (this.openUntil === undefined) return 'closed';
    return this.options.now() < this.openUntil ? 'open' : 'half-open';
  }

  /** How long admission is refused for, were it asked for now; changes nothing. */
  get waitMs(): number {
    const now = this.options.now();
    if (this.openUntil === undefined) return 0;
    if (now < this.openUntil) return this.openUntil - now;
    return this.trialSince === undefined ? 0 : Math.max(0, this.trialSince + this.options.trialMs - now);
  }

  /** Asks to send a call. Whoever is admitted reports with `succeeded`, `failed` or `abandoned`. */
  admit(): Admission {
    const { waitMs } = this;
    if (waitMs > 0) return { admitted: false, waitMs };
    if (this.state === 'half-open') this.trialSince = this.options.now();
    return { admitted: true };
  }

  /** The provider answered, be it with an error that is no fault of its own. */
  succeeded(): void {
    this.failuresInARow = 0;
    this.pauseMs = 0;
    this.openUntil = undefined;
    this.trialSince = undefined;
  }

  /** `retryAfterMs`: the pause the provider asks for, if it does; it is waited out even when it is longer than the longest pause. */
  failed(retryAfterMs: number = 0): void {
    const { now, failures, pauseMs, longestPauseMs } = this.options;
    const { state } = this;
    this.failuresInARow += 1;
    this.trialSince = undefined;
    // Calls that were under way when the circuit opened say nothing new.
    if (state === 'open') return;
    if (state === 'closed' && this.failuresInARow < failures) return;
    this.pauseMs = Math.min(this.pauseMs === 0 ? pauseMs : this.pauseMs * 2, longestPauseMs);
    this.openUntil = now() + Math.max(this.pauseMs, retryAfterMs);
  }

  /** The call was cancelled before anything was known. */
  abandoned(): void {
    this.trialSince = undefined;
  }
}

/** One breaker per provider, made when first asked for. */
export function createCircuitBreakers(options: CircuitBreakerOptions): (provider: string) => CircuitBreaker {
  const breakers = new Map<string, CircuitBreaker>();
  return (provider) => {
    const breaker = breakers.get(provider) ?? new CircuitBreaker(options);
    breakers.set(provider, breaker);
    return breaker;
  };
}
