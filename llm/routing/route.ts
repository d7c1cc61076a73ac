import { HelixError } from '../../contracts/error.ts';
import type { ModelInfo } from '../../contracts/llm.ts';
import { contextOf, hasRoom, lacks, type ModelNeeds } from './needs.ts';

export interface Candidate {
  /** `provider/model`. */
  name: string;
  /** Undefined when nothing is known of the model. */
  info: ModelInfo | undefined;
  /** Its provider is not asked for this long, or limits it for this long. */
  waitMs?: number;
}

export const seeingExamples = 'anthropic/claude-sonnet-5-5, openai/gpt-5.4 or gemini/gemini-2.5-pro';
const toolExamples = 'anthropic/claude-sonnet-5-5, openai/gpt-5.4 or qwen/qwen3-coder-plus';

/** `reason` says in a sentence why it is not `current`. `waitMs`: those that would do cannot be asked before. */
export type Route = { model: string; reason: string } | { waitMs: number };

/**
 * The model that a request is for: the first of `chain` that can do what is needed, has room for the conversation and can be asked now; where none has
 * room, the one with the most, for which the conversation is compressed. When none of the chain can do it at all, the cheapest of `others` that can.
 * Throws HelixError `llm.unsupported` with models that could when there is none.
 */
export function route(
  current: string,
  needs: ModelNeeds,
  chain: readonly Candidate[],
  others: readonly Candidate[],
): Route {
  const able = chain.filter(({ info }) => lacks(info, needs).length === 0);
  if (able.length === 0) able.push(...byPrice(others.filter(({ info }) => lacks(info, needs).length === 0)));
  if (able.length === 0) throw noneCan(needs, chain);
  const roomy = able.filter(({ info }) => hasRoom(info, needs));
  const narrow = able.filter((one) => !roomy.includes(one)).sort((a, b) => contextOf(b.info) - contextOf(a.info));
  const best = [...roomy, ...narrow].find(({ waitMs }) => !waitMs);
  if (!best) return { waitMs: Math.min(...able.map(({ waitMs }) => waitMs!)) };
  return {
    model: best.name,
    reason:
      whyNot(
        chain.find(({ name }) => name === current),
        current,
        needs,
      ) ?? `${best.name} will do again`,
  };
}

function whyNot(one: Candidate | undefined, name: string, needs: ModelNeeds): string | undefined {
  const [lack] = one ? lacks(one.info, needs) : [];
  if (lack) return `${name} ${lack}`;
  if (one?.waitMs) return `${name} is not asked for another ${Math.ceil(one.waitMs / 1000)} s`;
  if (one && !hasRoom(one.info, needs))
    return `the conversation, about ${needs.tokens.toLocaleString('en-US')} tokens, is too long for ${name}`;
  return undefined;
}

/** Those whose price is not known come last. */
export function byPrice<T extends { info: ModelInfo | undefined }>(models: readonly T[]): T[] {
  // A prompt of an agent is some ten times as long as its answer.
  const price = ({ info }: T): number => (info?.price ? 10 * info.price.input + info.price.output : Infinity);
  return [...models].sort((a, b) => (price(a) === price(b) ? 0 : price(a) - price(b)));
}

function noneCan(needs: ModelNeeds, chain: readonly Candidate[]): HelixError {
  const those = chain.map(({ name, info }) => `${name} ${lacks(info, needs).join(' and ')}`).join(', ');
  const what = needs.vision ? 'there is an image in the conversation' : 'the agent needs tools';
  return new HelixError(
    'llm.unsupported',
    `${what}: ${those}, and no configured model can. Name one that does with --model or --fallback, e.g. ${needs.vision ? seeingExamples : toolExamples}`,
  );
}
