/** Left out: no limit. */
export interface RateLimits {
  requestsPerMinute?: number;
  tokensPerMinute?: number;
}

/** A bucket that fills evenly to the amount of one minute. Its level goes below zero for those who hold a place in the line. */
class Bucket {
  private level: number;
  private since: number;
  private readonly perMinute: number;

  constructor(perMinute: number, now: number) {
    this.perMinute = perMinute;
    this.level = perMinute;
    this.since = now;
  }

  /** Takes the amount, and says after how many milliseconds it is really there. More than a whole minute's amount counts as one, or it would never go. */
  take(amount: number, now: number): number {
    this.fill(now);
    this.level -= Math.min(amount, this.perMinute);
    return this.level >= 0 ? 0 : Math.ceil((-this.level * 60_000) / this.perMinute);
  }

  give(amount: number, now: number): void {
    this.fill(now);
    this.level = Math.min(this.perMinute, this.level + amount);
  }

  private fill(now: number): void {
    const elapsed = Math.max(0, now - this.since);
    this.since = now;
    this.level = Math.min(this.perMinute, this.level + (elapsed * this.perMinute) / 60_000);
  }
}

/** A place that nobody comes back to is given up this long after its turn. */
const keptAfterTurnMs = 5 * 60_000;

/**
 * The limits of one provider. It never waits: it says how long to wait, and keeps the caller's place in the line meanwhile, so that many who wait neither
 * all come back at once nor overtake each other.
 */
export class RateLimiter {
  private readonly now: () => number;
  private readonly requests: Bucket | undefined;
  private readonly tokens: Bucket | undefined;
  private readonly places = new Map<string, { turn: number; tokens: number }>();
  private pausedUntil = 0;

  constructor(limits: RateLimits, now: () => number) {
    this.now = now;
    if (limits.requestsPerMinute) this.requests = new Bucket(limits.requestsPerMinute, now());
    if (limits.tokensPerMinute) this.tokens = new Bucket(limits.tokensPerMinute, now());
  }

  /**
   * Milliseconds until `caller` may send a call of about that many tokens; 0: now. Whoever had to wait asks again with the same name.
   */
  request(caller: string, tokens: number): number {
    const now = this.now();
    this.forgetAbsent(now);
    const place = this.places.get(caller) ?? this.queue(caller, tokens, now);
    const waitMs = Math.max(place.turn, this.pausedUntil) - now;
    if (waitMs > 0) return waitMs;
    this.places.delete(caller);
    return 0;
  }

  /** Gives up a place in the line. */
  leave(caller: string): void {
    const place = this.places.get(caller);
    if (!place) return;
    this.places.delete(caller);
    this.requests?.give(1, this.now());
    this.tokens?.give(place.tokens, this.now());
  }

  /** After a call: what it really used, where it had been estimated. */
  settle(estimatedTokens: number, usedTokens: number): void {
    if (usedTokens < estimatedTokens) this.tokens?.give(estimatedTokens - usedTokens, this.now());
    else this.tokens?.take(usedTokens - estimatedTokens, this.now());
  }

  /** The provider said to wait (Retry-After). */
  pause(ms: number): void {
    this.pausedUntil = Math.max(this.pausedUntil, this.now() + ms);
  }

  private queue(caller: string, tokens: number, now: number): { turn: number; tokens: number } {
    const waitMs = Math.max(this.requests?.take(1, now) ?? 0, this.tokens?.take(tokens, now) ?? 0);
    const place = { turn: now + waitMs, tokens };
    this.places.set(caller, place);
    return place;
  }

  private forgetAbsent(now: number): void {
    for (const [caller, place] of this.places) {
      if (Math.max(place.turn, this.pausedUntil) + keptAfterTurnMs < now) this.places.delete(caller);
    }
  }
}
