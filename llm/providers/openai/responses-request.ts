import type {
  AssistantPart,
  ImagePart,
  LlmRequest,
  Message,
  ToolChoice,
  ToolDefinition,
} from '../../../contracts/llm.ts';
import type { ErrorContext } from '../errors.ts';
import { unsupported } from '../errors.ts';
import { dataUrl, imagesOf, isStrictSchema, resultText } from './content.ts';
import type { WireBody } from './dialect.ts';
import { member } from './wire.ts';

/**
 * The request as the Responses API takes it. Nothing is stored there: what the model has to get back travels in the conversation. Throws
 * `llm.unsupported` for stop sequences, which that API does not know.
 */
export function responsesBody(request: LlmRequest, context: ErrorContext): WireBody {
  if (request.stop.length > 0)
    throw unsupported(context, "has no stop sequences in the Responses API; set its api to 'chat'");
  return {
    model: request.model,
    ...(request.system === '' ? {} : { instructions: request.system }),
    input: request.messages.flatMap((message) => inputItems(message, context.provider)),
    ...(request.tools.length > 0
      ? { tools: request.tools.map(responsesTool), tool_choice: responsesToolChoice(request.toolChoice) }
      : {}),
    ...(request.maxTokens === undefined ? {} : { max_output_tokens: request.maxTokens }),
    ...(request.temperature === undefined ? {} : { temperature: request.temperature }),
    ...(request.topP === undefined ? {} : { top_p: request.topP }),
    ...(request.responseSchema === undefined
      ? {}
      : {
          text: {
            format: {
              type: 'json_schema',
              name: 'answer',
              schema: request.responseSchema,
              strict: isStrictSchema(request.responseSchema),
            },
          },
        }),
    store: false,
  };
}

/** Lays the provider's own options over the body, its tools behind the others, its `include` beside ours. */
export function withOptions(body: WireBody, options: Record<string, unknown> = {}): WireBody {
  const joined = { ...body, ...options };
  for (const list of ['tools', 'include']) {
    const both = [body[list], options[list]].flatMap((value) => (Array.isArray(value) ? (value as unknown[]) : []));
    if (both.length > 0) joined[list] = [...new Set(both)];
  }
  return joined;
}

function responsesTool({ name, description, parameters }: ToolDefinition): object {
  // Left out, strict would be true, and ordinary schemas refused.
  return { type: 'function', name, description, parameters, strict: false };
}

function responsesToolChoice(choice: ToolChoice): unknown {
  return typeof choice === 'string' ? choice : { type: 'function', name: choice.tool };
}

function inputItems(message: Message, provider: string): object[] {
  switch (message.role) {
    case 'user':
      return [
        {
          role: 'user',
          content: message.content.map((part) =>
            part.type === 'text' ? { type: 'input_text', text: part.text } : imageContent(part),
          ),
        },
      ];
    case 'assistant':
      return assistantItems(message.content, provider);
    case 'tool':
      return message.content.map((result) => {
        const images = imagesOf(result);
        const text = resultText(result);
        return {
          type: 'function_call_output',
          call_id: result.callId,
          output:
            images.length === 0
              ? text
              : [...(text === '' ? [] : [{ type: 'input_text', text }]), ...images.map(imageContent)],
        };
      });
  }
}

function assistantItems(content: readonly AssistantPart[], provider: string): object[] {
  const items: object[] = [];
  // A reasoning item without the item that followed it is refused: an answer that was cut may end with one.
  const last = content.findLastIndex(
    (part) => part.type !== 'thinking' || member(part.opaque?.data, 'type') !== 'reasoning',
  );
  for (const part of content.slice(0, last + 1)) {
    const own = part.opaque?.provider === provider ? part.opaque.data : undefined;
    if (part.type === 'text') {
      const phase = member(own, 'phase');
      if (part.text !== '')
        items.push({ role: 'assistant', content: part.text, ...(phase === undefined ? {} : { phase }) });
    } else if (part.type === 'tool-call') {
      items.push({
        type: 'function_call',
        call_id: part.id,
        name: part.name,
        arguments: typeof part.arguments === 'string' ? part.arguments : JSON.stringify(part.arguments),
      });
    } else if (typeof member(own, 'type') === 'string') items.push(own as object);
  }
  return items;
}

function imageContent(image: ImagePart): object {
  return { type: 'input_image', image_url: dataUrl(image), detail: 'auto' };
}
