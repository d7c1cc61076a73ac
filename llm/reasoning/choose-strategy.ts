import type { Thinking } from '../../contracts/llm.ts';
import { askWithTools } from './ask-with-tools.ts';
import { chainOfThought } from './chain-of-thought.ts';
import { extendedThinking } from './extended-thinking.ts';
import { progressiveReasoning } from './progressive.ts';
import type { ProgressiveOptions } from './progressive.ts';
import { isWhole } from './reasoner.ts';
import type { Reasoner, ReasoningResult } from './reasoner.ts';
import { selfReflection } from './self-reflection.ts';
import type { ReflectionOptions } from './self-reflection.ts';
import { treeOfThoughts } from './tree-of-thoughts.ts';
import type { TreeOptions } from './tree-of-thoughts.ts';

export type StrategyName =
  'direct' | 'chain-of-thought' | 'tree-of-thoughts' | 'self-reflection' | 'progressive' | 'extended-thinking';

export interface ReasoningPolicy {
  /** `auto`: by the request. Default `auto`. */
  strategy?: StrategyName | 'auto';
  /** How many calls a request may take; strategies that may need more are not chosen by `auto`, and trees are made to fit. Default 20. */
  calls?: number;
  tree?: Partial<TreeOptions>;
  reflection?: ReflectionOptions;
  progressive?: Partial<ProgressiveOptions>;
  thinking?: Omit<Thinking, 'mode'>;
}

/** What is known of a request before it is made. */
export interface ReasoningRequest {
  purpose: 'chat' | 'plan' | 'code' | 'repair' | 'review';
  /** Whether the model has a way to think of its own. */
  modelThinks: boolean;
  tools: boolean;
  /** How often this was tried before and failed. */
  failedAttempts: number;
}

export interface StrategyChoice {
  strategy: StrategyName;
  /** A few words for people. */
  reason: string;
}

/** The strategy of a request: the policy's, or by what is asked and how often it failed. */
export function chooseStrategy(policy: ReasoningPolicy, request: ReasoningRequest): StrategyChoice {
  const { strategy = 'auto', calls = 20 } = policy;
  if (strategy !== 'auto') return { strategy, reason: 'chosen by the user' };
  const { purpose, modelThinks, tools, failedAttempts } = request;
  if (purpose === 'chat') return { strategy: 'direct', reason: 'a conversation' };
  if (failedAttempts >= 2 && calls >= 5) {
    return { strategy: 'tree-of-thoughts', reason: `${failedAttempts} attempts failed: other approaches are tried` };
  }
  if (modelThinks) return { strategy: 'extended-thinking', reason: 'the model thinks by itself' };
  if (tools) {
    return calls >= 3
      ? { strategy: 'progressive', reason: 'with tools, in rounds' }
      : { strategy: 'direct', reason: 'few calls are left' };
  }
  if ((purpose === 'plan' || purpose === 'review') && calls >= 4) {
    return { strategy: 'self-reflection', reason: `a ${purpose} is checked before it is used` };
  }
  return calls >= 2
    ? { strategy: 'chain-of-thought', reason: 'the model does not think by itself' }
    : { strategy: 'direct', reason: 'one call is left' };
}

/** Carries out a strategy. */
export async function reason<Conversation>(
  strategy: StrategyName,
  policy: ReasoningPolicy,
  reasoner: Reasoner<Conversation>,
  start: Conversation,
): Promise<ReasoningResult<Conversation>> {
  switch (strategy) {
    case 'direct':
      return direct(reasoner, start);
    case 'chain-of-thought':
      return chainOfThought(reasoner, start);
    case 'tree-of-thoughts':
      return treeOfThoughts(reasoner, start, fitTree(policy));
    case 'self-reflection':
      return selfReflection(reasoner, start, policy.reflection);
    case 'progressive':
      return progressiveReasoning(reasoner, start, policy.progressive);
    case 'extended-thinking':
      return extendedThinking(reasoner, start, policy.thinking);
  }
}

async function direct<Conversation>(
  reasoner: Reasoner<Conversation>,
  start: Conversation,
): Promise<ReasoningResult<Conversation>> {
  const { answer } = await askWithTools(reasoner, { title: 'Answer', after: start });
  return { ...answer, steps: [{ title: 'Answer' }], ended: isWhole(answer) ? 'done' : 'stopped' };
}

/** The tree asked for, made less deep, then less wide, until thoughts, scores and answer are within the calls. */
function fitTree({ tree = {}, calls = 20 }: ReasoningPolicy): Partial<TreeOptions> {
  const fitted = { branches: 3, keep: 2, depth: 2, ...tree };
  const cost = (): number =>
    1 + 2 * fitted.branches * (1 + (fitted.depth - 1) * Math.min(fitted.keep, fitted.branches));
  while (cost() > calls && fitted.depth > 1) fitted.depth -= 1;
  while (cost() > calls && fitted.branches > 2) fitted.branches -= 1;
  return fitted;
}
