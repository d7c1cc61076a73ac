import { z } from 'zod';

/**
 * How an agent comes to an answer. `direct`: it is asked and answers. `chain-of-thought`: it writes down its steps first. `tree-of-thoughts`: several
 * approaches are tried at once and scored, and the best is carried out. `self-reflection`: its answer is criticised and mended. `progressive`: it thinks and looks
 * with tools in rounds. `extended-thinking`: the model's own thinking is turned on.
 */
export const strategySchema = z.enum([
  'direct',
  'chain-of-thought',
  'tree-of-thoughts',
  'self-reflection',
  'progressive',
  'extended-thinking',
]);
export type StrategyName = z.infer<typeof strategySchema>;

/** `auto`: by what is asked, whether the model thinks by itself, and how often it failed before. */
export const reasoningChoiceSchema = z.enum([...strategySchema.options, 'auto']);
export type ReasoningChoice = z.infer<typeof reasoningChoiceSchema>;

const count = (least: number, most: number) =>
  z.number().int().min(least).max(most).describe(`a whole number from ${least} to ${most}`).optional();

/** How far the strategies may go. What is left out is as the strategies have it. */
export const reasoningLimitsSchema = z.strictObject({
  /** Calls that a strategy may take, without those that follow its tools: `auto` takes none that may need more, trees are made to fit. */
  calls: count(1, 200),
  /** Of a tree: approaches tried after each that was kept. */
  branches: count(2, 10),
  /** Of a tree: approaches kept at each level. */
  keep: count(1, 10),
  /** Of a tree: levels. */
  depth: count(1, 5),
  /** Of a tree: an approach with this score, of 10, is gone on with alone. */
  goodEnough: count(1, 10),
  /** Of self-reflection: how often an answer is mended at most. */
  revisions: count(1, 10),
  /** Of progressive reasoning: rounds of thinking and looking at most. */
  rounds: count(1, 20),
  /** Of progressive reasoning: calls in a row with tools within one round. */
  callsPerRound: count(1, 100),
});
export type ReasoningLimits = z.infer<typeof reasoningLimitsSchema>;

/** What a request says of reasoning. What is left out is as configured. */
export const reasoningSchema = z.strictObject({
  strategy: reasoningChoiceSchema.optional(),
  limits: reasoningLimitsSchema.optional(),
});
export type Reasoning = z.infer<typeof reasoningSchema>;
