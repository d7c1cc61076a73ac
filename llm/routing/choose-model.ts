import type { ModelInfo } from '../../contracts/llm.ts';
import { assessAll } from './assess.ts';
import type { Assessed, ModelCandidate, RoutingPolicy } from './assess.ts';
import type { ModelNeeds } from './needs.ts';
import { noneChosen, unknownModel } from './routing-errors.ts';

export interface ModelChoice {
  /** `provider/model`. */
  name: string;
  info: ModelInfo;
  /** In US dollars for the needed tokens; null when the price is not known. */
  estimatedUsd: number | null;
  /** Set when it is not the user's first choice: a sentence that says why. */
  reason?: string;
}

/**
 * The model to ask: of the preferred ones the first that has what is needed, is reachable and within the price; otherwise the best of the others
 * that the policy allows.
 *
 * Errors: `llm.not-configured` without candidates, `llm.model-not-found` for a preferred name nobody has, `llm.unsupported`,
 * `llm.context-exceeded`, `llm.unavailable` (`details.retryAfterMs` where known) and `budget.exceeded`; each names what is missing and the nearest models.
 */
export function chooseModel(
  needs: ModelNeeds,
  candidates: readonly ModelCandidate[],
  policy: RoutingPolicy = {},
): ModelChoice {
  const assessed = assessAll(needs, candidates, policy);
  const [best] = rank(needs, assessed, policy);
  if (!best) throw noneChosen(needs, assessed, policy);
  const first = assessed.find((one) => one.name === policy.preferred?.[0]);
  return {
    name: best.name,
    info: best.candidate.info,
    estimatedUsd: best.estimatedUsd,
    ...(first && first !== best ? { reason: against(first) } : {}),
  };
}

/**
 * Names of models to try one after the other, at most `limit`: the chosen one, then those that would do as well, of providers that are not in the chain yet first,
 * since a provider that is away takes all of its models with it. Throws like chooseModel when there is none.
 */
export function fallbackChain(
  needs: ModelNeeds,
  candidates: readonly ModelCandidate[],
  policy: RoutingPolicy = {},
  limit: number = 3,
): string[] {
  const assessed = assessAll(needs, candidates, policy);
  const rest = rank(needs, assessed, policy);
  if (rest.length === 0) throw noneChosen(needs, assessed, policy);
  const chain: Assessed[] = [];
  while (chain.length < limit && rest.length > 0) {
    const other = rest.findIndex((one) => chain.every((taken) => providerOf(taken) !== providerOf(one)));
    chain.push(...rest.splice(Math.max(other, 0), 1));
  }
  return chain.map(({ name }) => name);
}

/** Those that will do, the best first. */
function rank(needs: ModelNeeds, assessed: readonly Assessed[], policy: RoutingPolicy): Assessed[] {
  const preferred = policy.preferred ?? [];
  const names = assessed.map(({ name }) => name);
  for (const name of preferred) if (!names.includes(name)) throw unknownModel(name, names);
  const fit = assessed.filter((one) => one.unmet.length === 0 && one.away === undefined && !one.tooDear);
  const wanted = [...new Set(preferred)].flatMap((name) => fit.filter((one) => one.name === name));
  if (!othersAllowed(needs, assessed, policy)) return wanted;
  const others = fit.filter((one) => !preferred.includes(one.name)).sort(comparison(policy.order ?? 'cost'));
  return [...wanted, ...others];
}

function providerOf({ candidate }: Assessed): string {
  return candidate.info.provider;
}

function othersAllowed(needs: ModelNeeds, assessed: readonly Assessed[], policy: RoutingPolicy): boolean {
  const preferred = policy.preferred ?? [];
  if (preferred.length === 0 || policy.others === 'any') return true;
  if (policy.others === 'never' || !needs.vision) return false;
  return assessed.every((one) => !preferred.includes(one.name) || one.unmet.some(({ need }) => need === 'vision'));
}

/** What speaks against the first choice, in one sentence. */
function against(first: Assessed): string {
  const reasons = [...first.unmet.map(({ text }) => text), ...(first.away ? [first.away] : [])];
  if (first.tooDear) reasons.push('it would cost more than one call may');
  return `${first.name}: ${reasons.join('; ')}`;
}

/** Degraded providers come after the others, unknown prices after the known; equals keep the order they were given in. */
function comparison(order: NonNullable<RoutingPolicy['order']>): (a: Assessed, b: Assessed) => number {
  const degraded = (one: Assessed): number => (one.candidate.health?.status === 'degraded' ? 1 : 0);
  const value = (one: Assessed): number => {
    if (order === 'listed') return 0;
    if (order === 'context') return -(one.candidate.info.contextTokens ?? 0);
    return one.estimatedUsd ?? Number.MAX_VALUE;
  };
  return (a, b) => degraded(a) - degraded(b) || value(a) - value(b);
}
