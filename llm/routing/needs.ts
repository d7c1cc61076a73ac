import type { LlmRequest, Message, ModelInfo } from '../../contracts/llm.ts';

/** What a request asks of a model. Left out: not needed. */
export interface ModelNeeds {
  tools?: boolean;
  vision?: boolean;
  thinking?: boolean;
  structuredOutput?: boolean;
  /** Estimated tokens of system, tools and messages. */
  promptTokens?: number;
  /** Tokens that have to be left for the answer. */
  answerTokens?: number;
}

/**
 * The needs of a request, for as long as it stays as it is: once its images are gone, so is the need of vision.
 * Thinking that is only `auto` is no need: a model without it answers as well.
 */
export function needsOf(request: LlmRequest, promptTokens: number): ModelNeeds {
  return {
    tools: request.tools.length > 0 && request.toolChoice !== 'none',
    vision: hasImages(request.messages),
    thinking: request.thinking.mode === 'on',
    structuredOutput: request.responseSchema !== undefined,
    promptTokens,
    ...(request.maxTokens === undefined ? {} : { answerTokens: request.maxTokens }),
  };
}

export function hasImages(messages: readonly Message[]): boolean {
  return messages.some((message) =>
    message.role === 'tool'
      ? message.content.some((result) => result.content.some((part) => part.type === 'image'))
      : message.content.some((part) => part.type === 'image'),
  );
}

export interface Unmet {
  need: 'tools' | 'vision' | 'thinking' | 'structured-output' | 'context' | 'answer';
  /** For people: `no images`, `a context of 8,192 tokens where 20,000 are needed`. */
  text: string;
}

/** What a model lacks for the needs. A length that is not known is taken to be enough. */
export function unmetNeeds(info: ModelInfo, needs: ModelNeeds): Unmet[] {
  const unmet: Unmet[] = [];
  if (needs.tools && !info.tools) unmet.push({ need: 'tools', text: 'no tools' });
  if (needs.vision && !info.vision) unmet.push({ need: 'vision', text: 'no images' });
  if (needs.thinking && !info.thinking) unmet.push({ need: 'thinking', text: 'no thinking' });
  if (needs.structuredOutput && !info.structuredOutput) {
    unmet.push({ need: 'structured-output', text: 'no answers of a given JSON schema' });
  }
  const tokens = (needs.promptTokens ?? 0) + (needs.answerTokens ?? 0);
  if (info.contextTokens !== undefined && tokens > info.contextTokens) {
    unmet.push({
      need: 'context',
      text: `a context of ${count(info.contextTokens)} tokens where ${count(tokens)} are needed`,
    });
  }
  if (info.maxOutputTokens !== undefined && (needs.answerTokens ?? 0) > info.maxOutputTokens) {
    unmet.push({
      need: 'answer',
      text: `answers of at most ${count(info.maxOutputTokens)} tokens where ${count(needs.answerTokens!)} are wanted`,
    });
  }
  return unmet;
}

/** `images, tools and a context of 20,000 tokens`. */
export function describeNeeds(needs: ModelNeeds): string {
  const parts: string[] = [];
  if (needs.tools) parts.push('tools');
  if (needs.vision) parts.push('images');
  if (needs.thinking) parts.push('thinking');
  if (needs.structuredOutput) parts.push('answers of a JSON schema');
  const tokens = (needs.promptTokens ?? 0) + (needs.answerTokens ?? 0);
  if (tokens > 0) parts.push(`a context of ${count(tokens)} tokens`);
  return parts.length > 1 ? `${parts.slice(0, -1).join(', ')} and ${parts.at(-1)}` : (parts[0] ?? 'text');
}

function count(tokens: number): string {
  return tokens.toLocaleString('en-US');
}
