import type { Thinking } from '../../contracts/llm.ts';
import type { Reasoning, ReasoningLimits, StrategyName } from '../../contracts/reasoning.ts';
import { askWithTools } from './ask-with-tools.ts';
import { chainOfThought } from './chain-of-thought.ts';
import { extendedThinking } from './extended-thinking.ts';
import { progressiveReasoning } from './progressive.ts';
import { isWhole } from './reasoner.ts';
import type { Reasoner, ReasoningResult } from './reasoner.ts';
import { selfReflection } from './self-reflection.ts';
import { mostTreeCalls, treeOfThoughts } from './tree-of-thoughts.ts';
import type { TreeOptions } from './tree-of-thoughts.ts';

const usualCalls = 20;

/** What is known of a request before it is made. */
export interface ReasoningRequest {
  purpose: 'chat' | 'plan' | 'code' | 'repair' | 'review';
  /** Whether the model has a way to think of its own. */
  modelThinks: boolean;
  /** What the user's own words ask for. */
  thinking: Thinking['mode'];
  tools: boolean;
  /** How often this was tried before and failed. */
  failedAttempts: number;
}

export interface StrategyChoice {
  strategy: StrategyName;
  /** A few words for people. */
  reason: string;
}

/** The strategy of a request: the one named, `direct` when none is, or for `auto` by what is asked and how often it failed. */
export function chooseStrategy({ strategy = 'direct', limits }: Reasoning, request: ReasoningRequest): StrategyChoice {
  if (strategy !== 'auto') return { strategy, reason: 'as asked for' };
  const calls = limits?.calls ?? usualCalls;
  const { purpose, modelThinks, thinking, tools, failedAttempts } = request;
  if (thinking === 'off') return { strategy: 'direct', reason: 'asked not to think' };
  if (purpose === 'chat' && thinking !== 'on') return { strategy: 'direct', reason: 'a conversation' };
  if (failedAttempts >= 2 && calls >= mostTreeCalls(smallestTree, tools)) {
    return { strategy: 'tree-of-thoughts', reason: `${failedAttempts} attempts failed: other approaches are tried` };
  }
  if (modelThinks) return { strategy: 'extended-thinking', reason: 'the model thinks by itself' };
  if ((purpose === 'plan' || purpose === 'review') && calls >= 4) {
    return { strategy: 'self-reflection', reason: `a ${purpose} is checked before it is used` };
  }
  if (tools) {
    return calls >= 3
      ? { strategy: 'progressive', reason: 'with tools, in rounds' }
      : { strategy: 'direct', reason: 'few calls are left' };
  }
  return calls >= 2
    ? { strategy: 'chain-of-thought', reason: 'the model does not think by itself' }
    : { strategy: 'direct', reason: 'one call is left' };
}

/** Carries out a strategy. `thinking` is what the model's own thinking is turned on with, where the strategy does that. */
export async function reason<Conversation>(
  strategy: StrategyName,
  limits: ReasoningLimits,
  reasoner: Reasoner<Conversation>,
  start: Conversation,
  thinking: Omit<Thinking, 'mode'> = {},
): Promise<ReasoningResult<Conversation>> {
  switch (strategy) {
    case 'direct':
      return direct(reasoner, start);
    case 'chain-of-thought':
      return chainOfThought(reasoner, start);
    case 'tree-of-thoughts':
      return treeOfThoughts(reasoner, start, fitTree(limits, reasoner.useTools !== undefined));
    case 'self-reflection':
      return selfReflection(reasoner, start, limits);
    case 'progressive':
      return progressiveReasoning(reasoner, start, limits);
    case 'extended-thinking':
      return extendedThinking(reasoner, start, thinking);
  }
}

async function direct<Conversation>(
  reasoner: Reasoner<Conversation>,
  start: Conversation,
): Promise<ReasoningResult<Conversation>> {
  const { answer } = await askWithTools(reasoner, { title: 'Answer', after: start });
  return { ...answer, ended: isWhole(answer) ? 'done' : 'stopped' };
}

const smallestTree: TreeOptions = { branches: 2, keep: 1, depth: 1, goodEnough: 9 };

/** The tree asked for, made less deep, then less wide, until thoughts, scores and answer are within the calls. */
function fitTree(limits: ReasoningLimits, tools: boolean): TreeOptions {
  const { calls = usualCalls, branches = 3, keep = 2, depth = 2, goodEnough = 9 } = limits;
  const fitted = { branches, keep, depth, goodEnough };
  while (mostTreeCalls(fitted, tools) > calls && fitted.depth > 1) fitted.depth -= 1;
  while (mostTreeCalls(fitted, tools) > calls && fitted.branches > smallestTree.branches) fitted.branches -= 1;
  return fitted;
}
