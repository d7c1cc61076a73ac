import type { UsageTotal } from '../../contracts/usage.ts';

/** `$0.0123`, or that it is not known: calls without a price are never said to have cost nothing. */
export function formatCost({ usd, calls, lostCalls, unpricedCalls }: UsageTotal): string {
  const known = `$${usd.toFixed(4)}`;
  if (unpricedCalls === 0) return lostCalls > 0 ? `at most ${known}` : known;
  if (unpricedCalls === calls && usd === 0) return 'price unknown';
  return `${known} and ${unpricedCalls} ${unpricedCalls === 1 ? 'call' : 'calls'} of unknown price`;
}

/** The share of the input that came from the provider's cache. */
export function formatCacheHits({ inputTokens, cacheReadTokens }: UsageTotal): string {
  return inputTokens === 0 ? '-' : `${Math.round((100 * cacheReadTokens) / inputTokens)}%`;
}

/** One line: calls, tokens, cache hits and cost. */
export function describeUsage(total: UsageTotal): string {
  const { calls, lostCalls, inputTokens, outputTokens } = total;
  return [
    `${calls} ${calls === 1 ? 'call' : 'calls'}${lostCalls > 0 ? ` and ${lostCalls} lost` : ''}`,
    `${inputTokens} + ${outputTokens} tokens`,
    `${formatCacheHits(total)} of the input from the cache`,
    formatCost(total),
  ].join(', ');
}
