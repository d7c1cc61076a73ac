import type { ChatResponse } from 'ollama';
import type { AssistantPart, LlmRequest, LlmResponse, LlmStreamEvent, ToolCallPart } from '../../../contracts/llm.ts';
import { malformedAnswer, unavailable } from '../errors.ts';
import type { ErrorContext } from '../errors.ts';
import { callIds } from '../openai/content.ts';

/** One answer of Ollama, put together from its pieces. */
export class OllamaAnswer {
  readonly #request: LlmRequest;
  readonly #context: ErrorContext;
  readonly #newId: () => string;
  readonly #parts: AssistantPart[] = [];
  #last: Partial<ChatResponse> | undefined;

  constructor(request: LlmRequest, context: ErrorContext) {
    this.#request = request;
    this.#context = context;
    this.#newId = callIds(request.messages);
  }

  /** Takes the next piece and returns what it brought. Throws `llm.malformed-answer` when it is none. */
  add(piece: Partial<ChatResponse>): LlmStreamEvent[] {
    if (typeof piece !== 'object' || piece === null || !('message' in piece || 'done' in piece)) {
      throw malformedAnswer(this.#context, 'answered with something that is no chat, so this may not be Ollama');
    }
    if (piece.done) this.#last = piece;
    const events: LlmStreamEvent[] = [];
    const { thinking, content, tool_calls: calls } = piece.message ?? {};
    if (thinking) {
      this.#append('thinking', thinking);
      events.push({ type: 'thinking', text: thinking });
    }
    if (content) {
      this.#append('text', content);
      events.push({ type: 'text', text: content });
    }
    for (const call of calls ?? []) {
      const { name, arguments: given } = call.function;
      if (!name) throw malformedAnswer(this.#context, 'called a tool without naming it');
      const part: ToolCallPart = { type: 'tool-call', id: this.#newId(), name, arguments: given ?? {} };
      this.#parts.push(part);
      events.push(
        { type: 'tool-call', id: part.id, name },
        { type: 'tool-arguments', id: part.id, text: JSON.stringify(part.arguments) },
      );
    }
    return events;
  }

  /** The whole answer. Throws `llm.unavailable` when it was cut off. */
  finish(): LlmResponse {
    const last = this.#last;
    if (!last) throw unavailable(this.#context, 'broke off its answer');
    const calls = this.#parts.some((part) => part.type === 'tool-call');
    return {
      provider: 'ollama',
      model: last.model ?? this.#request.model,
      id: '',
      message: { role: 'assistant', content: this.#parts },
      stopReason: last.done_reason === 'length' ? 'max-tokens' : calls ? 'tool-calls' : 'end',
      usage: {
        input: last.prompt_eval_count ?? 0,
        output: last.eval_count ?? 0,
        thinking: 0,
        cacheRead: 0,
        cacheWrite: 0,
      },
    };
  }

  #append(type: 'text' | 'thinking', text: string): void {
    const last = this.#parts.at(-1);
    if (last?.type === type) last.text += text;
    else if (type === 'text') this.#parts.push({ type, text });
    // Models of Ollama want their thoughts back as text: the mark alone says that they are its own.
    else this.#parts.push({ type, text, opaque: { provider: 'ollama', data: null } });
  }
}
