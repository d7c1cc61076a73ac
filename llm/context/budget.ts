import { HelixError } from '../../contracts/error.ts';

/** What shares a context window, in estimated tokens. */
export interface ContextUse {
  contextTokens: number;
  maxOutputTokens?: number;
  system: number;
  tools: number;
  /** What the repository map may have at most; it gets less in a small window. Default 8,192. */
  map?: number;
  /** Wanted for the answer, thinking included. Default 16,384, in a small window a quarter. */
  answer?: number;
}

/** Together never more than the window. */
export interface ContextShares {
  system: number;
  tools: number;
  map: number;
  conversation: number;
  /** To be given as `maxTokens`. */
  answer: number;
  /** Kept free, since all of these are estimates. */
  margin: number;
}

const marginShare = 0.04;
const mapShare = 0.12;
/** A conversation in less than this is of no use: the goal, one call and its result. */
const leastConversation = 1_000;

/**
 * Divides a context window: system and tools have what they have, the answer and the map their share, the conversation all of the rest.
 * Throws HelixError `llm.context-exceeded` when too little is left for a conversation.
 */
export function splitContext(use: ContextUse): ContextShares {
  const { contextTokens, system, tools } = use;
  const margin = Math.ceil(contextTokens * marginShare);
  const wanted = use.answer ?? Math.min(16_384, Math.floor(contextTokens / 4));
  const answer = Math.min(wanted, use.maxOutputTokens ?? wanted);
  const free = contextTokens - margin - system - tools - answer;
  const map = Math.max(0, Math.min(use.map ?? 8_192, Math.floor(free * mapShare)));
  const conversation = free - map;
  if (conversation < leastConversation) {
    throw new HelixError(
      'llm.context-exceeded',
      `a context of ${contextTokens} tokens is too small: instructions take ${system}, tools ${tools} and the answer ${answer}. ` +
        'Choose a model with a larger context, fewer tools, or a lower limit for the answer.',
      { details: { contextTokens, system, tools, answer } },
    );
  }
  return { system, tools, map, conversation, answer, margin };
}

/** The smallest context, in tokens, that leaves a conversation so much room beside what is fixed (system and tools) and the answer. */
export function contextFor(fixed: number, conversation: number, answer: number): number {
  return Math.ceil((fixed + Math.max(conversation, leastConversation) + answer) / (1 - marginShare)) + 1;
}
