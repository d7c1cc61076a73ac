import type { ThinkingEffort } from '../../thinking.ts';

/** How a Gemini model takes its thinking and its conversation. */
export interface ModelRules {
  /** `budget`: a number of tokens, `level`: low, medium or high, `none`: it does not think. */
  thinking: 'none' | 'budget' | 'level';
  /** The least budget; 0 turns thinking off. */
  leastBudget: number;
  mostBudget: number;
  /** A call without the signature it came with is refused. */
  signedCalls: boolean;
  /** Images may stand in the result of a tool. */
  imagesInResults: boolean;
}

/** The rules for a model by its name; a name without a version counts as the newest. */
export function modelRules(model: string): ModelRules {
  const [, major, minor] = /gemini-(\d+)(?:\.(\d+))?/.exec(model) ?? [];
  const version = major === undefined ? 300 : Number(major) * 100 + Number(minor ?? 0);
  const pro = model.includes('pro');
  const newest = version >= 300;
  return {
    thinking: newest ? 'level' : version >= 205 ? 'budget' : 'none',
    leastBudget: pro ? 128 : 0,
    mostBudget: pro ? 32_768 : 24_576,
    signedCalls: newest,
    imagesInResults: newest,
  };
}

/** Gemini 3 cannot stop thinking: `low` is the least that all of its models take. */
export function thinkingLevel(
  effort: ThinkingEffort | undefined,
  wanted: 'yes' | 'no' | 'unsaid',
): ThinkingEffort | undefined {
  if (wanted === 'no') return 'low';
  return effort ?? (wanted === 'yes' ? 'high' : undefined);
}
