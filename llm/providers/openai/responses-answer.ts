import type {
  AssistantPart,
  JsonValue,
  LlmRequest,
  LlmResponse,
  LlmStreamEvent,
  StopReason,
} from '../../../contracts/llm.ts';
import { malformedAnswer, unavailable } from '../errors.ts';
import type { ErrorContext } from '../errors.ts';
import { saidError } from './connection.ts';
import { callIds, parseArguments } from './content.ts';
import { responsesUsage } from './usage.ts';
import { member, textOf } from './wire.ts';

type Item = Record<string, unknown>;

/** One answer of the Responses API, put together from its events, or from the whole of it. */
export class ResponsesAnswer {
  readonly #request: LlmRequest;
  readonly #context: ErrorContext;
  readonly #newId: (given?: string | null) => string;
  /** Finished items by their place in the output. */
  readonly #items = new Map<number, Item>();
  /** Ids of calls under way by the place of their item. */
  readonly #callIds = new Map<number, string>();
  #response: Item | undefined;

  constructor(request: LlmRequest, context: ErrorContext) {
    this.#request = request;
    this.#context = context;
    this.#newId = callIds(request.messages);
  }

  /** Takes the next event and returns what it brought. Throws the error that the event tells of. */
  add(event: Item): LlmStreamEvent[] {
    const index = Number(event['output_index'] ?? 0);
    const text = textOf(event['delta']);
    switch (event['type']) {
      case 'response.output_text.delta':
      case 'response.refusal.delta':
        return text === '' ? [] : [{ type: 'text', text }];
      case 'response.reasoning_summary_text.delta':
      case 'response.reasoning_text.delta':
        return text === '' ? [] : [{ type: 'thinking', text }];
      case 'response.reasoning_summary_part.added':
        return Number(event['summary_index'] ?? 0) > 0 ? [{ type: 'thinking', text: '\n\n' }] : [];
      case 'response.output_item.added':
        return this.#begin(index, event['item']);
      case 'response.function_call_arguments.delta': {
        const id = this.#callIds.get(index);
        return id === undefined || text === '' ? [] : [{ type: 'tool-arguments', id, text }];
      }
      case 'response.output_item.done':
        this.#items.set(index, event['item'] as Item);
        return [];
      case 'response.completed':
      case 'response.incomplete':
      case 'response.failed':
        this.#end(event['response']);
        return [];
      default:
        return [];
    }
  }

  /** Takes the answer as a whole and returns what it brought. Throws the error it tells of, or `llm.malformed-answer`. */
  addWhole(response: unknown): LlmStreamEvent[] {
    this.#end(response);
    return this.finish().message.content.flatMap((part): LlmStreamEvent[] => {
      if (part.type !== 'tool-call') return part.text === '' ? [] : [{ type: part.type, text: part.text }];
      const { id, name, arguments: given } = part;
      return [
        { type: 'tool-call', id, name },
        { type: 'tool-arguments', id, text: JSON.stringify(given) },
      ];
    });
  }

  /** The whole answer. Throws `llm.unavailable` when it was cut off. */
  finish(): LlmResponse {
    const response = this.#response;
    if (!response) throw unavailable(this.#context, 'broke off its answer');
    const listed = response['output'];
    // Some servers leave the output out of the last event, after they have sent every item of it.
    const output = Array.isArray(listed) && listed.length > 0 ? (listed as Item[]).entries() : this.#items;
    const items = [...output].sort(([one], [other]) => one - other);
    const content = items.flatMap(([index, item]) => this.#parts(item, index));
    return {
      provider: this.#context.provider,
      model: textOf(response['model']) || this.#request.model,
      id: textOf(response['id']),
      message: { role: 'assistant', content },
      stopReason: stopReason(
        response,
        items.map(([, item]) => item),
      ),
      usage: responsesUsage(response['usage']),
    };
  }

  #end(response: unknown): void {
    if (typeof response !== 'object' || response === null || !('status' in response || 'output' in response)) {
      throw malformedAnswer(this.#context, 'answered with something that is no response, so this may not be the API');
    }
    const error = member(response, 'error');
    if (error || member(response, 'status') === 'failed') throw saidError(this.#context, error);
    this.#response = { ...response };
  }

  #begin(index: number, item: unknown): LlmStreamEvent[] {
    if (member(item, 'type') !== 'function_call') return [];
    const id = this.#callId(index, item as Item);
    return [{ type: 'tool-call', id, name: textOf(member(item, 'name')) }];
  }

  #callId(index: number, item: Item): string {
    const known = this.#callIds.get(index);
    if (known !== undefined) return known;
    const id = this.#newId(item['call_id'] as string | undefined);
    this.#callIds.set(index, id);
    return id;
  }

  #parts(item: Item, index: number): AssistantPart[] {
    const provider = this.#context.provider;
    switch (item['type']) {
      case 'message': {
        const phase = item['phase'];
        const opaque = phase ? { opaque: { provider, data: { phase: phase as string } } } : {};
        return contents(item['content']).flatMap((part): AssistantPart[] => {
          const text = part['type'] === 'refusal' ? part['refusal'] : part['text'];
          return typeof text === 'string' && text !== '' ? [{ type: 'text', text, ...opaque }] : [];
        });
      }
      case 'function_call': {
        const name = item['name'];
        if (typeof name !== 'string' || name === '')
          throw malformedAnswer(this.#context, 'called a tool without naming it');
        return [
          {
            type: 'tool-call',
            id: this.#callId(index, item),
            name,
            arguments: parseArguments(textOf(item['arguments'])),
          },
        ];
      }
      case 'reasoning': {
        const shown = contents(item['summary']).length > 0 ? item['summary'] : item['content'];
        const text = contents(shown).map((part) => textOf(part['text']));
        return [{ type: 'thinking', text: text.join('\n\n'), opaque: { provider, data: item as JsonValue } }];
      }
      default:
        // Calls of tools on the provider's side and whatever is new: not shown, but given back.
        return [{ type: 'thinking', text: '', opaque: { provider, data: item as JsonValue } }];
    }
  }
}

function contents(value: unknown): Item[] {
  return Array.isArray(value) ? (value as Item[]) : [];
}

function stopReason(response: Item, output: readonly Item[]): StopReason {
  const refused = output.some((item) => contents(item['content']).some((part) => part['type'] === 'refusal'));
  if (response['status'] === 'incomplete') {
    const reason = member(response['incomplete_details'], 'reason');
    if (reason === 'max_output_tokens') return 'max-tokens';
    if (reason === 'content_filter') return 'refusal';
  }
  if (refused) return 'refusal';
  return output.some((item) => item['type'] === 'function_call') ? 'tool-calls' : 'end';
}
