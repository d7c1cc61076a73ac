import { HelixError } from '../../contracts/error.ts';
import type { ModelInfo } from '../../contracts/llm.ts';
import { modelNameOf } from './model-name.ts';
import { hasRoom, lacks, type ModelNeeds } from './needs.ts';
import { byPrice } from './route.ts';

/** What stands for a model in `--model` and `llm.model` when HelixCode is to choose. */
export const auto = 'auto';

export interface AutoPolicy {
  /** `best`: first the providers' usual models, then the others, the dearest of each first: nothing but the price is known of all. */
  prefer: 'cheapest' | 'best';
  /** `provider/model` of each provider's usual model. */
  usual: ReadonlySet<string>;
  /** Providers that are not to be asked now. */
  away: ReadonlySet<string>;
  /** How many to try one after the other. */
  limit: number;
}

/**
 * Models to try one after the other: those that can do what is needed by price, each next one of another provider where there is one, since a provider that
 * is away takes all of its models with it. A model without a known price is taken only where no other will do. Throws HelixError
 * `llm.unsupported`.
 */
export function chooseAutomatically(needs: ModelNeeds, models: readonly ModelInfo[], policy: AutoPolicy): string[] {
  const able = models.filter((info) => lacks(info, needs).length === 0 && hasRoom(info, needs));
  if (able.length === 0)
    throw new HelixError(
      'llm.unsupported',
      `none of the ${models.length} models of the configured providers ${needs.vision ? 'can use tools and see images' : 'can use tools'} with a context of ${needs.tokens.toLocaleString('en-US')} tokens: name a model with --model`,
    );
  const ranked = byPrice(able.map((info) => ({ info })));
  const ordered = policy.prefer === 'best' ? bestFirst(ranked, policy.usual) : ranked;
  const isAway = ({ info }: { info: ModelInfo }): boolean => policy.away.has(info.provider);
  // One that is away now may be back when it is needed.
  const rest = [...ordered.filter((one) => !isAway(one)), ...ordered.filter(isAway)].map(({ info }) => info);
  const chain: ModelInfo[] = [];
  while (chain.length < policy.limit && rest.length > 0) {
    const other = rest.findIndex(({ provider }) => chain.every((taken) => taken.provider !== provider));
    chain.push(...rest.splice(Math.max(other, 0), 1));
  }
  return chain.map(modelNameOf);
}

/** `ranked` has the cheapest first and those without a known price last. */
function bestFirst(ranked: readonly { info: ModelInfo }[], usual: ReadonlySet<string>): { info: ModelInfo }[] {
  const isUsual = ({ info }: { info: ModelInfo }): boolean => usual.has(modelNameOf(info));
  const dear = [...ranked.filter(({ info }) => info.price).reverse(), ...ranked.filter(({ info }) => !info.price)];
  return [...dear.filter(isUsual), ...dear.filter((one) => !isUsual(one))];
}
