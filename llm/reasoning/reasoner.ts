import type { JsonValue, StopReason, Thinking } from '../../contracts/llm.ts';

// Strategies run inside workflows: no clock, no chance, no Node. A conversation is a handle to them (in workflows it holds the hash of its head), so that neither prompts
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
  /** Beside the conversation: an approach that may not be taken, a verdict. */
  aside?: boolean;
  /** How many steps, this one included, are asked at once: they share what may be spent. Left out: 1. */
  atOnce?: number;
  thinking?: Thinking;
  temperature?: number;
  /** The answer is JSON of this schema, where the model can do that; it is asked for in words as well. */
  responseSchema?: { [key: string]: JsonValue };
}

export interface ReasoningAnswer<Conversation> {
  /** The conversation with what was said and answered. */
  after: Conversation;
  /** The text of the answer; strategies read verdicts in it and hand the last one on. */
  text: string;
  /** `limit`: no more calls may be made. */
  stopReason: StopReason | 'limit';
}

export interface Reasoner<Conversation> {
  /** Makes the call. In workflows each is a recorded step. */
  ask(step: ReasoningStep<Conversation>): Promise<ReasoningAnswer<Conversation>>;
  /** Answers the tool calls that `answer` ended with; gives the conversation with their results. Without it, strategies use no tools. */
  useTools?(title: string, answer: ReasoningAnswer<Conversation>): Promise<Conversation>;
  /** Hears what was done, as it is done. */
  did?(record: ReasoningRecord): Promise<void>;
  /** How often tools may be called on the way to one answer. Default 50. */
  maxToolCalls?: number;
  /** The request is carried out with the tools and not only answered: whoever is made to come to an end still has them. */
  carriesOut?: boolean;
}

export interface ReasoningResult<Conversation> extends ReasoningAnswer<Conversation> {
  /** `limit`: ended by a limit before it was satisfied; `stopped`: a call ended without a whole answer (refusal, length, context). */
  ended: 'done' | 'limit' | 'stopped';
}

export interface ReasoningRecord {
  title: string;
  /** What came of it in a line: `score 7 of 10: simple`, `problems found: 2`. */
  outcome: string;
}

/** Whether an answer is a whole one that can be built on. */
export function isWhole(answer: ReasoningAnswer<unknown>): boolean {
  return answer.stopReason === 'end' || answer.stopReason === 'stop-sequence';
}

/** What is said of a step whose outcome is its text. */
export function outcomeOf(answer: ReasoningAnswer<unknown>): string {
  return isWhole(answer) ? 'done' : `ended without a whole answer (${answer.stopReason})`;
}
