import type { Budget, Spending } from '../contracts/agent.ts';

export const nothingSpent: Spending = { calls: 0, inputTokens: 0, outputTokens: 0, cacheReadTokens: 0, usd: 0 };

export function addSpending(a: Spending, b: Spending): Spending {
  return {
    calls: a.calls + b.calls,
    inputTokens: a.inputTokens + b.inputTokens,
    outputTokens: a.outputTokens + b.outputTokens,
    cacheReadTokens: a.cacheReadTokens + b.cacheReadTokens,
    usd: a.usd + b.usd,
    ...(a.activeMs || b.activeMs ? { activeMs: (a.activeMs ?? 0) + (b.activeMs ?? 0) } : {}),
  };
}

/**
 * What an agent, or a job with several, may spend and has spent. What is handed to a child or a call is reserved first and settled after, so
 * that children who run at once never spend more than there is together. Plain and without Temporal.
 */
export class Ledger {
  spent: Spending = nothingSpent;
  /** How often the budget was raised, and by how much in all. */
  raised = 0;
  raisedBy: Budget = {};
  /** Counts what may let somebody go on who found too little left: raises, and parts that were given back. */
  changes = 0;
  private budget: Budget;
  private readonly reserved = new Set<Budget>();

  constructor(budget: Budget) {
    this.budget = budget;
  }

  /** What is neither spent nor reserved; no less than nothing. */
  left(): Budget {
    const { usd, tokens, minutes } = this.budget;
    const held = (pick: (budget: Budget) => number | undefined): number =>
      [...this.reserved].reduce((sum, one) => sum + (pick(one) ?? 0), 0);
    return {
      ...(usd === undefined ? {} : { usd: Math.max(0, usd - this.spent.usd - held((one) => one.usd)) }),
      ...(tokens === undefined
        ? {}
        : {
            tokens: Math.max(0, tokens - this.spent.inputTokens - this.spent.outputTokens - held((one) => one.tokens)),
          }),
      ...(minutes === undefined ? {} : { minutes: Math.max(0, minutes - (this.spent.activeMs ?? 0) / 60_000) }),
    };
  }

  /** Takes an equal part of what is left for each of `shares` that are to run at once. */
  reserve(shares = 1): Budget {
    const { usd, tokens, minutes } = this.left();
    const part: Budget = {
      ...(usd === undefined ? {} : { usd: usd / shares }),
      ...(tokens === undefined ? {} : { tokens: Math.floor(tokens / shares) }),
      // Time passes for all at once.
      ...(minutes === undefined ? {} : { minutes }),
    };
    this.reserved.add(part);
    return part;
  }

  /** Takes the part of one of `shares` that run at once, some of which may have taken theirs already. */
  reserveOneOf(shares: number): Budget {
    return this.reserve(Math.max(1, shares - this.reserved.size));
  }

  /** Gives a part back, less what was spent of it. */
  settle(part: Budget, spent: Spending): void {
    this.reserved.delete(part);
    this.spent = addSpending(this.spent, spent);
    this.changes += 1;
  }

  /** Whether parts are out that may come back with something left. */
  get hasReserved(): boolean {
    return this.reserved.size > 0;
  }

  /** Also of calls that were lost, and are none of those that were answered. */
  get hasSpent(): boolean {
    return this.spent.inputTokens + this.spent.outputTokens > 0;
  }

  /** Time in which work was done; waiting for people or providers does not count. */
  worked(ms: number): void {
    this.spent = addSpending(this.spent, { ...nothingSpent, activeMs: ms });
  }

  raise(more: Budget): void {
    const kinds = ['usd', 'tokens', 'minutes'] as const;
    if (kinds.every((kind) => more[kind] === undefined)) return;
    this.raised += 1;
    this.changes += 1;
    for (const kind of kinds) {
      const by = more[kind] ?? 0;
      const limit = this.budget[kind];
      if (limit !== undefined) this.budget = { ...this.budget, [kind]: limit + by };
      if (by > 0) this.raisedBy = { ...this.raisedBy, [kind]: (this.raisedBy[kind] ?? 0) + by };
    }
  }

  /** The sentence that says which limit is reached; undefined while there is something left of each. */
  exhausted(): string | undefined {
    const { usd, tokens, minutes } = this.left();
    if (usd === 0) return `the budget of $${this.budget.usd} is spent`;
    if (tokens === 0) return `the budget of ${this.budget.tokens} tokens is spent`;
    return minutes === 0 ? this.outOfTime : undefined;
  }

  get outOfTime(): string {
    return `the budget of ${this.budget.minutes} minutes is used up`;
  }
}
