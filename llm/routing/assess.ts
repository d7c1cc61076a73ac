import type { ModelInfo, Price, ProviderHealth } from '../../contracts/llm.ts';
import { modelNameOf } from './model-name.ts';
import { unmetNeeds } from './needs.ts';
import type { ModelNeeds, Unmet } from './needs.ts';

export interface ModelCandidate {
  info: ModelInfo;
  /** Of its provider; left out: taken for healthy. */
  health?: Pick<ProviderHealth, 'status' | 'reason'>;
  /** Its provider's circuit is open or its rate limit reached for this long. */
  waitMs?: number;
  /** Instead of the list price in `info`. */
  price?: Price;
}

export interface RoutingPolicy {
  /** `provider/model`, the user's first choice first. */
  preferred?: string[];
  /**
   * When a model that is not preferred may be taken: never, only because of images that no preferred one can see (then it is back to the preferred
   * one as soon as the images are gone), or whenever no preferred one will do. Without preferred models all are candidates. Default `images`.
   */
  others?: 'never' | 'images' | 'any';
  /** What comes first among models that are not preferred. Default `cost`. */
  order?: 'cost' | 'context' | 'listed';
  /** US dollars that one call may be estimated at. A model whose price is not known is taken to cost nothing. */
  maxUsdPerCall?: number;
}

/** A candidate as seen by a request: what speaks against it. */
export interface Assessed {
  name: string;
  candidate: ModelCandidate;
  unmet: Unmet[];
  /** Why its provider cannot be asked now. */
  away?: string;
  estimatedUsd: number | null;
  tooDear: boolean;
}

/** Assumed of an answer when the request sets no limit. */
const usualAnswerTokens = 2_000;

/** How each candidate stands to a request, in the order given. */
export function assessAll(needs: ModelNeeds, candidates: readonly ModelCandidate[], policy: RoutingPolicy): Assessed[] {
  return candidates.map((candidate) => {
    const estimatedUsd = estimateUsd(needs, candidate.price ?? candidate.info.price);
    const away = whyAway(candidate);
    return {
      name: modelNameOf(candidate.info),
      candidate,
      unmet: unmetNeeds(candidate.info, needs),
      ...(away === undefined ? {} : { away }),
      estimatedUsd,
      tooDear: policy.maxUsdPerCall !== undefined && (estimatedUsd ?? 0) > policy.maxUsdPerCall,
    };
  });
}

function whyAway({ info, health, waitMs }: ModelCandidate): string | undefined {
  if (health?.status === 'unreachable' || health?.status === 'unconfigured') {
    return `${info.provider} is ${health.status}${health.reason ? `: ${health.reason}` : ''}`;
  }
  return waitMs ? `${info.provider} is not asked for another ${Math.ceil(waitMs / 1000)} s` : undefined;
}

function estimateUsd(needs: ModelNeeds, price: Price | undefined): number | null {
  if (!price) return null;
  const output = needs.answerTokens ?? usualAnswerTokens;
  return ((needs.promptTokens ?? 0) * price.input + output * price.output) / 1e6;
}
