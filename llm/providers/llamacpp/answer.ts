import type { AssistantPart, JsonValue, LlmRequest, LlmResponse, LlmStreamEvent } from '../../../contracts/llm.ts';
import { callIds } from '../openai/content.ts';
import type { CallOpaque } from './history.ts';
import { withoutNulls } from './schema.ts';
import type { ModelEvent, ModelStop, ModelUsage } from './wire.ts';

/** One answer of a model, put together from its pieces. */
export class LlamaCppAnswer {
  readonly #request: LlmRequest;
  readonly #newId: () => string;
  readonly #parts: AssistantPart[] = [];
  /** JSON is held back until it is whole: see `withoutNulls`. */
  readonly #holdsText: boolean;

  constructor(request: LlmRequest, holdsText: boolean) {
    this.#request = request;
    this.#newId = callIds(request.messages);
    this.#holdsText = holdsText;
  }

  add(event: ModelEvent): LlmStreamEvent[] {
    if (event.type === 'call') return this.#call(event);
    this.#append(event.type, event.text);
    return event.type === 'text' && this.#holdsText ? [] : [event];
  }

  /** The last events, `finish` among them. */
  finish(stop: ModelStop, usage: ModelUsage): LlmStreamEvent[] {
    const held = this.#holdsText ? this.#releaseText() : [];
    const called = this.#parts.some((part) => part.type === 'tool-call');
    const response: LlmResponse = {
      provider: 'llamacpp',
      model: this.#request.model,
      id: '',
      message: { role: 'assistant', content: this.#parts },
      stopReason: stop === 'end' && called ? 'tool-calls' : stop,
      usage: { ...usage, cacheWrite: 0 },
    };
    return [...held, { type: 'finish', response }];
  }

  #call({ name, params, raw }: Extract<ModelEvent, { type: 'call' }>): LlmStreamEvent[] {
    const tool = this.#request.tools.find((one) => one.name === name);
    const given = (params ?? {}) as JsonValue;
    const written: CallOpaque = { model: this.#request.model, raw: raw as JsonValue };
    const id = this.#newId();
    const part = {
      type: 'tool-call' as const,
      id,
      name,
      arguments: tool ? withoutNulls(given, tool.parameters) : given,
    };
    this.#parts.push({ ...part, opaque: { provider: 'llamacpp', data: { ...written } } });
    return [
      { type: 'tool-call', id, name },
      { type: 'tool-arguments', id, text: JSON.stringify(part.arguments) },
    ];
  }

  #releaseText(): LlmStreamEvent[] {
    const part = this.#parts.find((one) => one.type === 'text');
    if (!part) return [];
    const schema = this.#request.responseSchema ?? {};
    try {
      part.text = JSON.stringify(withoutNulls(JSON.parse(part.text) as JsonValue, schema));
    } catch {
      // Cut off by `maxTokens`: as far as it got.
    }
    return [{ type: 'text', text: part.text }];
  }

  #append(type: 'text' | 'thinking', text: string): void {
    const last = this.#parts.at(-1);
    if (last?.type === type) last.text += text;
    else if (type === 'text') this.#parts.push({ type, text });
    else this.#parts.push({ type, text, opaque: { provider: 'llamacpp', data: null } });
  }
}
