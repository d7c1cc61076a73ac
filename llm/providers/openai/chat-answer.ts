import type { AssistantPart, LlmRequest, LlmResponse, LlmStreamEvent, StopReason } from '../../../contracts/llm.ts';
import { malformedAnswer, unavailable } from '../errors.ts';
import type { ErrorContext } from '../errors.ts';
import { callIds, parseArguments } from './content.ts';
import type { Dialect } from './dialect.ts';
import { Reasoning } from './reasoning.ts';
import { chatUsage } from './usage.ts';
import type { WireChoice, WireCompletion, WireDelta, WireToolCall, WireUsage } from './wire.ts';

interface OpenCall {
  /** The server's own, to tell calls apart. */
  wireId: string | null;
  index: number | undefined;
  id: string;
  name: string;
  arguments: string;
}

type Part = { type: 'text'; text: string } | { type: 'call'; call: OpenCall };

/** One answer of chat completions, put together from its chunks, or from the whole of it as if it were one chunk. */
export class ChatAnswer {
  readonly #request: LlmRequest;
  readonly #dialect: Dialect;
  readonly #context: ErrorContext;
  readonly #newId: (given?: string | null) => string;
  readonly #reasoning = new Reasoning();
  readonly #parts: Part[] = [];
  #id = '';
  #model = '';
  #usage: WireUsage | undefined;
  #finish: WireChoice | undefined;
  #refused = false;

  constructor(request: LlmRequest, dialect: Dialect, context: ErrorContext) {
    this.#request = request;
    this.#dialect = dialect;
    this.#context = context;
    this.#newId = callIds(request.messages);
  }

  /** Takes the next chunk and returns what it brought. Throws `llm.malformed-answer` when it is no chunk. */
  add(chunk: WireCompletion): LlmStreamEvent[] {
    if (typeof chunk !== 'object' || chunk === null) {
      throw malformedAnswer(this.#context, 'answered with something that is no JSON, so this may not be the API');
    }
    if (chunk.id) this.#id = chunk.id;
    if (chunk.model) this.#model = chunk.model;
    if (chunk.usage) this.#usage = chunk.usage;
    const choice = chunk.choices?.[0];
    if (!choice) return [];
    if (choice.finish_reason) this.#finish = choice;
    const whole = choice.message !== undefined && choice.message !== null;
    const delta = choice.delta ?? choice.message;
    return delta ? this.#addDelta(delta, whole) : [];
  }

  /** The whole answer. Throws `llm.unavailable` when it was cut off, `llm.malformed-answer` when there was none. */
  finish(): LlmResponse {
    const finish = this.#finish;
    if (!finish) throw unavailable(this.#context, 'broke off its answer');
    const reasoning = this.#reasoning.finish(this.#dialect.name);
    const content: AssistantPart[] = reasoning ? [{ type: 'thinking', ...reasoning }] : [];
    for (const part of this.#parts) {
      if (part.type === 'text') content.push(part);
      else if (part.call.name === '') throw malformedAnswer(this.#context, 'called a tool without naming it');
      else {
        const { id, name } = part.call;
        content.push({ type: 'tool-call', id, name, arguments: parseArguments(part.call.arguments) });
      }
    }
    return {
      provider: this.#dialect.name,
      model: this.#model || this.#request.model,
      id: this.#id,
      message: { role: 'assistant', content },
      stopReason: this.#refused ? 'refusal' : stopReason(finish, this.#calls().length > 0),
      usage: chatUsage(this.#usage, this.#usage && this.#dialect.reportedCost?.(this.#usage)),
    };
  }

  #calls(): OpenCall[] {
    return this.#parts.flatMap((part) => (part.type === 'call' ? [part.call] : []));
  }

  #addDelta(delta: WireDelta, whole: boolean): LlmStreamEvent[] {
    const events: LlmStreamEvent[] = [];
    const thought = this.#reasoning.add(delta, whole);
    if (thought !== '') events.push({ type: 'thinking', text: thought });
    if (delta.refusal) this.#refused = true;
    const text = `${plainText(delta.content)}${delta.refusal ?? ''}`;
    if (text !== '') {
      const last = this.#parts.at(-1);
      if (last?.type === 'text') last.text += text;
      else this.#parts.push({ type: 'text', text });
      events.push({ type: 'text', text });
    }
    for (const piece of delta.tool_calls ?? []) events.push(...this.#addCall(piece, whole));
    return events;
  }

  #addCall(piece: WireToolCall, whole: boolean): LlmStreamEvent[] {
    const events: LlmStreamEvent[] = [];
    let call = whole ? undefined : this.#open(piece);
    if (!call) {
      call = {
        wireId: piece.id ?? null,
        index: piece.index ?? undefined,
        id: this.#newId(piece.id),
        name: '',
        arguments: '',
      };
      this.#parts.push({ type: 'call', call });
    }
    const name = piece.function?.name;
    if (name && call.name === '') {
      call.name = name;
      events.push({ type: 'tool-call', id: call.id, name });
      if (call.arguments !== '') events.push({ type: 'tool-arguments', id: call.id, text: call.arguments });
    }
    const given = piece.function?.arguments ?? '';
    const text = typeof given === 'string' ? given : JSON.stringify(given);
    call.arguments += text;
    if (text !== '' && call.name !== '') events.push({ type: 'tool-arguments', id: call.id, text });
    return events;
  }

  /**
   * The call that a piece goes on with. Some servers leave the index out, some give every call the index 0: a new id together with a name begins
   * a new one.
   */
  #open(piece: WireToolCall): OpenCall | undefined {
    const calls = this.#calls();
    const begins = Boolean(piece.function?.name);
    const sameIndex = (call: OpenCall) => typeof piece.index !== 'number' || call.index === piece.index;
    if (piece.id) {
      const known = calls.findLast((call) => call.wireId === piece.id && sameIndex(call));
      if (known || begins) return known;
    }
    const open = typeof piece.index === 'number' ? calls.findLast(sameIndex) : calls.at(-1);
    return begins && open?.name !== '' && typeof piece.index !== 'number' ? undefined : open;
  }
}

function plainText(content: WireDelta['content']): string {
  if (typeof content === 'string') return content;
  return (content ?? []).map((part) => (part.type === 'text' ? (part.text ?? '') : '')).join('');
}

function stopReason(finish: WireChoice, calls: boolean): StopReason {
  if (finish.native_finish_reason === 'model_context_window_exceeded') return 'context';
  if (finish.finish_reason === 'length') return 'max-tokens';
  if (finish.finish_reason === 'content_filter') return 'refusal';
  if (calls) return 'tool-calls';
  return typeof finish.stop_reason === 'string' ? 'stop-sequence' : 'end';
}
