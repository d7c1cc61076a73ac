import type {
  MessageDeltaUsage,
  RawContentBlockDeltaEvent,
  RawContentBlockStartEvent,
  RawMessageStreamEvent,
  RefusalStopDetails,
  StopReason as AnthropicStopReason,
  Usage as AnthropicUsage,
} from '@anthropic-ai/sdk/resources/messages';
import type {
  AssistantPart,
  JsonValue,
  LlmResponse,
  LlmStreamEvent,
  StopReason,
  Usage,
} from '../../../contracts/llm.ts';
import { providerName } from './messages.ts';
import type { ThinkingData } from './messages.ts';
import { answerTool } from './request.ts';

/** A block of the answer as far as it has come. */
type Block =
  | { type: 'text'; text: string }
  | { type: 'thinking'; text: string; signature: string }
  | { type: 'redacted'; data: string }
  | { type: 'tool'; id: string; name: string; json: string; input: unknown }
  | { type: 'other' };

/** Puts an answer together from the events of its stream, and says at each what there is to show. */
export class AnswerReader {
  readonly #model: string;
  readonly #answersByTool: boolean;
  readonly #blocks = new Map<number, Block>();
  #id = '';
  #answeredBy = '';
  #stop: AnthropicStopReason | null = null;
  #refusal: RefusalStopDetails | null = null;
  #usage: Partial<AnthropicUsage | MessageDeltaUsage> = {};
  #finished = false;

  /** `model` is the one that was asked for: thinking goes back to it alone. */
  constructor(model: string, answersByTool: boolean) {
    this.#model = model;
    this.#answersByTool = answersByTool;
  }

  /** Whether the answer came to its end. */
  get finished(): boolean {
    return this.#finished;
  }

  read(event: RawMessageStreamEvent): LlmStreamEvent | undefined {
    switch (event.type) {
      case 'message_start':
        this.#id = event.message.id;
        this.#answeredBy = event.message.model;
        this.#usage = { ...event.message.usage };
        return undefined;
      case 'content_block_start':
        return this.#start(event);
      case 'content_block_delta':
        return this.#delta(event);
      case 'message_delta':
        this.#stop = event.delta.stop_reason;
        this.#refusal = event.delta.stop_details ?? null;
        // Counts that the closing event leaves out or empty stay as the opening one gave them.
        for (const [name, count] of Object.entries(event.usage ?? {})) {
          if (count !== null && count !== undefined) Object.assign(this.#usage, { [name]: count });
        }
        return undefined;
      case 'message_stop':
        this.#finished = true;
        return undefined;
      case 'content_block_stop':
        return undefined;
      default:
        // Kinds of events that are newer than this code say nothing that it could show.
        return undefined;
    }
  }

  response(): LlmResponse {
    const ordered = [...this.#blocks.entries()].sort(([a], [b]) => a - b).map(([, block]) => block);
    const content = ordered.flatMap((block) => this.#part(block));
    const explanation = this.#refusal?.explanation;
    if (explanation && !content.some(({ type }) => type === 'text')) content.push({ type: 'text', text: explanation });
    return {
      provider: providerName,
      model: this.#answeredBy || this.#model,
      id: this.#id,
      message: { role: 'assistant', content },
      stopReason: stopReason(this.#stop, content),
      usage: usage(this.#usage),
    };
  }

  #start({ index, content_block: block }: RawContentBlockStartEvent): LlmStreamEvent | undefined {
    if (block.type === 'text') {
      this.#blocks.set(index, { type: 'text', text: block.text });
      return block.text === '' ? undefined : { type: 'text', text: block.text };
    }
    if (block.type === 'thinking') {
      this.#blocks.set(index, { type: 'thinking', text: block.thinking, signature: block.signature });
      return block.thinking === '' ? undefined : { type: 'thinking', text: block.thinking };
    }
    if (block.type === 'redacted_thinking') {
      this.#blocks.set(index, { type: 'redacted', data: block.data });
      return undefined;
    }
    if (block.type === 'tool_use') {
      this.#blocks.set(index, { type: 'tool', id: block.id, name: block.name, json: '', input: block.input });
      return this.#isAnswer(block.name) ? undefined : { type: 'tool-call', id: block.id, name: block.name };
    }
    // What Anthropic's own tools write, which nobody here asks for.
    this.#blocks.set(index, { type: 'other' });
    return undefined;
  }

  #delta({ index, delta }: RawContentBlockDeltaEvent): LlmStreamEvent | undefined {
    const block = this.#blocks.get(index);
    if (delta.type === 'text_delta' && block?.type === 'text') {
      block.text += delta.text;
      return { type: 'text', text: delta.text };
    }
    if (delta.type === 'thinking_delta' && block?.type === 'thinking') {
      block.text += delta.thinking;
      return { type: 'thinking', text: delta.thinking };
    }
    if (delta.type === 'signature_delta' && block?.type === 'thinking') {
      block.signature += delta.signature;
      return undefined;
    }
    if (delta.type === 'input_json_delta' && block?.type === 'tool' && delta.partial_json !== '') {
      block.json += delta.partial_json;
      return this.#isAnswer(block.name)
        ? { type: 'text', text: delta.partial_json }
        : { type: 'tool-arguments', id: block.id, text: delta.partial_json };
    }
    return undefined;
  }

  #part(block: Block): AssistantPart[] {
    switch (block.type) {
      case 'text':
        return block.text === '' ? [] : [{ type: 'text', text: block.text }];
      case 'thinking':
        return [this.#thinking(block.text, { model: this.#model, signature: block.signature })];
      case 'redacted':
        return [this.#thinking('', { model: this.#model, redacted: block.data })];
      case 'tool': {
        const given = parseArguments(block);
        if (!this.#isAnswer(block.name))
          return [{ type: 'tool-call', id: block.id, name: block.name, arguments: given }];
        return [{ type: 'text', text: typeof given === 'string' ? given : JSON.stringify(given) }];
      }
      case 'other':
        return [];
    }
  }

  #thinking(text: string, data: ThinkingData): AssistantPart {
    return { type: 'thinking', text, opaque: { provider: providerName, data } };
  }

  #isAnswer(name: string): boolean {
    return this.#answersByTool && name === answerTool;
  }
}

function parseArguments({ json, input }: { json: string; input: unknown }): JsonValue {
  if (json === '') return (input ?? {}) as JsonValue;
  try {
    return JSON.parse(json) as JsonValue;
  } catch {
    return json;
  }
}

const stopReasons: Partial<Record<AnthropicStopReason, StopReason>> = {
  max_tokens: 'max-tokens',
  stop_sequence: 'stop-sequence',
  refusal: 'refusal',
  model_context_window_exceeded: 'context',
};

function stopReason(stop: AnthropicStopReason | null, content: readonly AssistantPart[]): StopReason {
  const calls = content.some(({ type }) => type === 'tool-call');
  return (stop === null ? undefined : stopReasons[stop]) ?? (calls ? 'tool-calls' : 'end');
}

/** Anthropic counts what came from the cache and what went into it beside the input, not within. */
function usage(counts: Partial<AnthropicUsage | MessageDeltaUsage>): Usage {
  const cacheRead = counts.cache_read_input_tokens ?? 0;
  const cacheWrite = counts.cache_creation_input_tokens ?? 0;
  return {
    input: (counts.input_tokens ?? 0) + cacheRead + cacheWrite,
    output: counts.output_tokens ?? 0,
    thinking: counts.output_tokens_details?.thinking_tokens ?? 0,
    cacheRead,
    cacheWrite,
  };
}
