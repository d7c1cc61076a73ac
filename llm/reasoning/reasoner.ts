import type { JsonValue, StopReason, Thinking } from '../../contracts/llm.ts';

// Strategies run inside workflows: no clock, no chance, no Node. A conversation is a handle to them (in workflows the hash of its head), so that neither prompts
// nor drafts are copied into the history; what one step said is seen by the next because the next continues its conversation.

/** One call of a model. */
export interface ReasoningStep<Conversation> {
  /** A few words for people, shown while it runs. */
  title: string;
  /** The conversation that is continued; it stays as it is, so several steps may continue the same. */
  after: Conversation;
  /** Said as the user before the model answers; left out: the model goes on from where the conversation ends. */
  say?: string;
  /** Whether the model may call tools. */
  tools: boolean;
  thinking?: Thinking;
  temperature?: number;
  maxTokens?: number;
  /** The answer is JSON of this schema, where the model can do that; it is asked for in words as well. */
  responseSchema?: { [key: string]: JsonValue };
}

export interface ReasoningAnswer<Conversation> {
  /** The conversation with what was said and answered. */
  after: Conversation;
  /** The text of the answer; strategies read verdicts in it and hand the last one on. */
  text: string;
  stopReason: StopReason;
}

export interface Reasoner<Conversation> {
  /** Makes the call. In workflows each is a recorded step. */
  ask(step: ReasoningStep<Conversation>): Promise<ReasoningAnswer<Conversation>>;
  /** Answers the tool calls that `answer` ended with; gives the conversation with their results. Without it, strategies use no tools. */
  useTools?(title: string, answer: ReasoningAnswer<Conversation>): Promise<Conversation>;
  /** How often tools may be called on the way to one answer. Default 50. */
  maxToolCalls?: number;
}

export interface ReasoningResult<Conversation> extends ReasoningAnswer<Conversation> {
  /** What was done, in order, for people. */
  steps: ReasoningRecord[];
  /** `limit`: ended by a limit before it was satisfied; `stopped`: a call ended without a whole answer (refusal, length, context). */
  ended: 'done' | 'limit' | 'stopped';
}

export interface ReasoningRecord {
  title: string;
  /** What came of it, where that can be said in a line: `score 7 of 10: simple`, `2 problems`. */
  outcome?: string;
}

/** Whether an answer is a whole one that can be built on. */
export function isWhole(answer: ReasoningAnswer<unknown>): boolean {
  return answer.stopReason === 'end' || answer.stopReason === 'stop-sequence';
}
