import type { Budget } from '../contracts/agent.ts';
import type { LlmRequest, Message, Price } from '../contracts/llm.ts';

/** More than any provider counts for an image it accepts. */
const imageTokens = 5_000;
/** What a provider may put around a message or a tool. */
const wrappingTokens = 32;

/**
 * No fewer tokens than the prompt can have: a token is at least one byte. `known` are the tokens of the first `knownMessages` messages and all
 * that stands before them, as the provider itself counted them.
 */
export function mostPromptTokens(
  request: Pick<LlmRequest, 'system' | 'messages' | 'tools'>,
  known?: { messages: number; tokens: number },
): number {
  const bytesOf = (text: string): number => Buffer.byteLength(text);
  const rest = request.messages.slice(known?.messages ?? 0);
  const messages = rest.reduce((sum, message) => sum + mostMessageTokens(message), 0);
  if (known) return known.tokens + messages;
  const tools = request.tools.reduce((sum, tool) => sum + bytesOf(JSON.stringify(tool)) + wrappingTokens, 0);
  return bytesOf(request.system) + tools + messages + wrappingTokens;
}

function mostMessageTokens(message: Message): number {
  return message.content.reduce((sum, part) => sum + mostPartTokens(part), wrappingTokens);
}

function mostPartTokens(part: Message['content'][number]): number {
  if (part.type === 'image') return imageTokens;
  if (part.type === 'tool-result')
    return part.content.reduce((sum, inner) => sum + mostPartTokens(inner), wrappingTokens);
  return Buffer.byteLength(JSON.stringify(part));
}

export interface CallBound {
  /** Of the answer: as many as were wished for and the budget allows. */
  maxTokens: number;
  /** What the call can cost at most. */
  usd: number;
  tokens: number;
}

/** An answer shorter than this is of no use to an agent. */
const leastAnswerTokens = 256;

/** How long an answer the budget allows; a sentence when it allows none. `price` is undefined when it is not known. */
export function boundCall(
  promptTokens: number,
  wishedTokens: number,
  budget: Budget,
  price: Price | undefined,
): CallBound | string {
  const rates = price ? [price, ...(price.longPrompt ? [price.longPrompt] : [])] : [];
  const inputPrice = Math.max(0, ...rates.flatMap((rate) => [rate.input, rate.cacheWrite ?? 0])) / 1e6;
  const outputPrice = Math.max(0, ...rates.map((rate) => rate.output)) / 1e6;
  let maxTokens = wishedTokens;
  if (budget.tokens !== undefined) maxTokens = Math.min(maxTokens, Math.floor(budget.tokens - promptTokens));
  if (budget.usd !== undefined && outputPrice > 0)
    maxTokens = Math.min(maxTokens, Math.floor((budget.usd - promptTokens * inputPrice) / outputPrice));
  if (maxTokens < Math.min(leastAnswerTokens, wishedTokens)) {
    const left = [
      ...(budget.usd === undefined ? [] : [`$${budget.usd.toFixed(4)}`]),
      ...(budget.tokens === undefined ? [] : [`${budget.tokens} tokens`]),
    ].join(' and ');
    return `the next call could cost ${promptTokens} tokens and more, and ${left} is left of the budget`;
  }
  return {
    maxTokens,
    usd: promptTokens * inputPrice + maxTokens * outputPrice,
    tokens: promptTokens + maxTokens,
  };
}
