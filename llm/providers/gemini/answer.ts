import { randomUUID } from 'node:crypto';
import { FinishReason } from '@google/genai';
import type { GenerateContentResponse, GenerateContentResponseUsageMetadata, Part } from '@google/genai';
import type {
  AssistantPart,
  JsonValue,
  LlmResponse,
  LlmStreamEvent,
  StopReason,
  Usage,
} from '../../../contracts/llm.ts';
import { providerName } from './contents.ts';
import type { GeminiData } from './contents.ts';

/** Puts an answer together from the pieces of its stream, and says at each what there is to show. */
export class AnswerReader {
  readonly #model: string;
  readonly #content: AssistantPart[] = [];
  #id = '';
  #answeredBy = '';
  #finish: string | undefined;
  #finishMessage: string | undefined;
  #blocked: string | undefined;
  readonly #usage: GenerateContentResponseUsageMetadata = {};

  constructor(model: string) {
    this.#model = model;
  }

  /** Whether the answer came to its end, or the prompt was blocked. */
  get finished(): boolean {
    return this.#finish !== undefined || this.#blocked !== undefined;
  }

  /** Why the model's answer is of no use, if it is: it wrote a call that cannot be read. */
  get malformed(): string | undefined {
    return this.#finish !== undefined && malformedReasons.has(this.#finish)
      ? `wrote an answer that it could not finish (${[this.#finish, this.#finishMessage].filter(Boolean).join(': ')})`
      : undefined;
  }

  read(chunk: GenerateContentResponse): LlmStreamEvent[] {
    if (chunk.responseId) this.#id = chunk.responseId;
    if (chunk.modelVersion) this.#answeredBy = chunk.modelVersion;
    // Every piece carries the counts so far.
    if (chunk.usageMetadata) Object.assign(this.#usage, chunk.usageMetadata);
    const blocked = chunk.promptFeedback;
    if (blocked?.blockReason) {
      this.#blocked = blocked.blockReasonMessage ?? `The prompt was blocked: ${blocked.blockReason}.`;
    }
    const candidate = chunk.candidates?.[0];
    if (candidate?.finishReason) this.#finish = candidate.finishReason;
    if (candidate?.finishMessage) this.#finishMessage = candidate.finishMessage;
    return (candidate?.content?.parts ?? []).flatMap((part) => this.#part(part));
  }

  response(): LlmResponse {
    const content = [...this.#content];
    const stop = this.#stopReason();
    const explanation = this.#blocked ?? this.#finishMessage;
    if (stop === 'refusal' && explanation && !content.some(({ type }) => type === 'text')) {
      content.push({ type: 'text', text: explanation });
    }
    return {
      provider: providerName,
      model: this.#answeredBy || this.#model,
      id: this.#id,
      message: { role: 'assistant', content },
      stopReason: stop,
      usage: usage(this.#usage),
    };
  }

  #part(part: Part): LlmStreamEvent[] {
    if (part.functionCall) return this.#call(part);
    if (part.text === undefined) return [];
    const type = part.thought ? 'thinking' : 'text';
    this.#append(type, part.text, part.thoughtSignature);
    return part.text === '' ? [] : [{ type, text: part.text }];
  }

  /** A signed part stays by itself: parts with a signature must not be joined with others. */
  #append(type: 'text' | 'thinking', text: string, thoughtSignature: string | undefined): void {
    const last = this.#content.at(-1);
    if (thoughtSignature === undefined && last?.type === type && last.opaque === undefined) last.text += text;
    else if (text !== '' || thoughtSignature !== undefined)
      this.#content.push({ type, text, ...signed({ thoughtSignature }) });
  }

  #call({ functionCall, thoughtSignature }: Part): LlmStreamEvent[] {
    const name = functionCall?.name || 'unnamed';
    const given = (functionCall?.args ?? {}) as JsonValue;
    const callId = functionCall?.id;
    const id = callId ?? `call_${randomUUID()}`;
    this.#content.push({ type: 'tool-call', id, name, arguments: given, ...signed({ thoughtSignature, callId }) });
    return [
      { type: 'tool-call', id, name },
      { type: 'tool-arguments', id, text: JSON.stringify(given) },
    ];
  }

  #stopReason(): StopReason {
    if (this.#blocked !== undefined) return 'refusal';
    if (this.#finish === FinishReason.MAX_TOKENS) return 'max-tokens';
    if (this.#content.some(({ type }) => type === 'tool-call')) return 'tool-calls';
    if (this.#finish === FinishReason.STOP) return 'end';
    return refusals.has(this.#finish ?? '') || this.#content.length === 0 ? 'refusal' : 'end';
  }
}

const refusals = new Set<string>([
  FinishReason.SAFETY,
  FinishReason.RECITATION,
  FinishReason.LANGUAGE,
  FinishReason.BLOCKLIST,
  FinishReason.PROHIBITED_CONTENT,
  FinishReason.SPII,
  FinishReason.IMAGE_SAFETY,
  FinishReason.IMAGE_PROHIBITED_CONTENT,
  FinishReason.IMAGE_RECITATION,
]);

const malformedReasons = new Set<string>([
  FinishReason.MALFORMED_FUNCTION_CALL,
  FinishReason.UNEXPECTED_TOOL_CALL,
  FinishReason.TOO_MANY_TOOL_CALLS,
  FinishReason.MALFORMED_RESPONSE,
]);

function signed(data: { thoughtSignature: string | undefined; callId?: string | undefined }): {
  opaque?: { provider: string; data: JsonValue };
} {
  const kept: GeminiData = {
    ...(data.thoughtSignature === undefined ? {} : { thoughtSignature: data.thoughtSignature }),
    ...(data.callId === undefined ? {} : { callId: data.callId }),
  };
  return Object.keys(kept).length === 0 ? {} : { opaque: { provider: providerName, data: { ...kept } } };
}

/** Gemini counts thoughts beside the answer, and cached content within the prompt. */
function usage(counts: GenerateContentResponseUsageMetadata): Usage {
  const thinking = counts.thoughtsTokenCount ?? 0;
  return {
    input: (counts.promptTokenCount ?? 0) + (counts.toolUsePromptTokenCount ?? 0),
    output: (counts.candidatesTokenCount ?? 0) + thinking,
    thinking,
    cacheRead: counts.cachedContentTokenCount ?? 0,
    cacheWrite: 0,
  };
}
