import type { ChatRequest, Message as WireMessage } from 'ollama';
import type { JsonValue, LlmRequest, Message } from '../../../contracts/llm.ts';
import { thinkingWish } from '../../thinking.ts';
import { imagesOf, resultText } from '../openai/content.ts';

/**
 * The request as Ollama takes it. `providerOptions.ollama` has `keep_alive` and `think` for the request, everything else is for the model's run
 * (`num_ctx`, `seed` …).
 */
export function chatRequest(request: LlmRequest): ChatRequest {
  const { keep_alive: keepAlive, think, ...options } = request.providerOptions['ollama'] ?? {};
  const wished = think === undefined ? thinking(request) : { think: think as boolean };
  return {
    model: request.model,
    messages: [
      ...(request.system === '' ? [] : [{ role: 'system', content: request.system }]),
      ...request.messages.flatMap(wireMessages),
    ],
    // Ollama knows no choice of tools: without them is all that can be said.
    ...(request.tools.length > 0 && request.toolChoice !== 'none'
      ? {
          tools: request.tools.map(({ name, description, parameters }) => ({
            type: 'function',
            function: { name, description, parameters },
          })),
        }
      : {}),
    ...(request.responseSchema === undefined ? {} : { format: request.responseSchema }),
    ...wished,
    ...(keepAlive === undefined ? {} : { keep_alive: keepAlive as string | number }),
    options: {
      ...(request.maxTokens === undefined ? {} : { num_predict: request.maxTokens }),
      ...(request.temperature === undefined ? {} : { temperature: request.temperature }),
      ...(request.topP === undefined ? {} : { top_p: request.topP }),
      ...(request.stop.length > 0 ? { stop: request.stop } : {}),
      ...options,
    },
  };
}

/** Models that do not think refuse to be asked for it, so that is said only where somebody wishes it. gpt-oss takes efforts instead of yes. */
function thinking(request: LlmRequest): Pick<ChatRequest, 'think'> {
  const { wanted, effort } = thinkingWish(request);
  if (wanted === 'yes') return { think: request.model.includes('gpt-oss') ? (effort ?? 'medium') : true };
  return wanted === 'no' && request.thinking.mode === 'off' && !request.model.includes('gpt-oss')
    ? { think: false }
    : {};
}

function wireMessages(message: Message): WireMessage[] {
  switch (message.role) {
    case 'user': {
      const images = message.content.flatMap((part) => (part.type === 'image' ? [part.data] : []));
      const text = message.content.flatMap((part) => (part.type === 'text' ? [part.text] : [])).join('\n');
      return [{ role: 'user', content: text, ...(images.length > 0 ? { images } : {}) }];
    }
    case 'assistant': {
      const calls = message.content.filter((part) => part.type === 'tool-call');
      const thoughts = message.content.flatMap((part) =>
        part.type === 'thinking' && part.opaque?.provider === 'ollama' ? [part.text] : [],
      );
      return [
        {
          role: 'assistant',
          content: message.content.map((part) => (part.type === 'text' ? part.text : '')).join(''),
          ...(thoughts.length > 0 ? { thinking: thoughts.join('') } : {}),
          ...(calls.length > 0
            ? {
                tool_calls: calls.map((call) => ({
                  function: { name: call.name, arguments: asObject(call.arguments) },
                })),
              }
            : {}),
        },
      ];
    }
    case 'tool':
      return message.content.map((result) => {
        const images = imagesOf(result).map((image) => image.data);
        return {
          role: 'tool',
          content: resultText(result),
          tool_name: result.name,
          ...(images.length > 0 ? { images } : {}),
        };
      });
  }
}

/** Ollama refuses arguments that are no object. */
function asObject(value: JsonValue): Record<string, JsonValue> {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? value : { unreadable_arguments: value };
}
