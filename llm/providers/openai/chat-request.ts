import { createHash } from 'node:crypto';
import type { ImagePart, LlmRequest, Message, ToolChoice, ToolDefinition } from '../../../contracts/llm.ts';
import { argumentsAsJson, dataUrl, imagesOf, isStrictSchema, resultText, turnStart } from './content.ts';
import type { Dialect, WireBody } from './dialect.ts';
import { reasoningFields } from './reasoning.ts';

/** The request as chat completions take it. The provider's own options are laid over it, its tools behind the others. */
export function chatBody(request: LlmRequest, dialect: Dialect): WireBody {
  const { tools: moreTools, ...options } = request.providerOptions[dialect.name] ?? {};
  const tools = [...request.tools.map(chatTool), ...(Array.isArray(moreTools) ? moreTools : [])];
  const body: WireBody = {
    model: request.model,
    messages: chatMessages(request, dialect),
    ...(tools.length > 0 ? { tools, tool_choice: chatToolChoice(request.toolChoice) } : {}),
    ...(request.maxTokens === undefined ? {} : { [dialect.maxTokensField]: request.maxTokens }),
    ...(request.temperature === undefined ? {} : { temperature: request.temperature }),
    ...(request.topP === undefined ? {} : { top_p: request.topP }),
    ...(request.stop.length > 0 ? { stop: request.stop } : {}),
    ...(request.responseSchema === undefined
      ? {}
      : {
          response_format: {
            type: 'json_schema',
            json_schema: {
              name: 'answer',
              schema: request.responseSchema,
              strict: isStrictSchema(request.responseSchema),
            },
          },
        }),
  };
  return { ...dialect.adapt(body, request), ...options };
}

/**
 * A key by which the provider sends the calls of one conversation to the machine that has its prefix cached: made of what stays the same in all
 * of them.
 */
export function cacheKey(request: LlmRequest): string {
  const prefix = [request.model, request.system, request.tools.map((tool) => tool.name), request.messages[0]];
  return `helix-${createHash('sha256').update(JSON.stringify(prefix)).digest('hex').slice(0, 32)}`;
}

function chatTool({ name, description, parameters }: ToolDefinition): object {
  return { type: 'function', function: { name, description, parameters } };
}

function chatToolChoice(choice: ToolChoice): unknown {
  return typeof choice === 'string' ? choice : { type: 'function', function: { name: choice.tool } };
}

function chatMessages(request: LlmRequest, dialect: Dialect): object[] {
  const turn = turnStart(request.messages);
  const converted = request.messages.flatMap((message, index) => {
    const replays = dialect.replayReasoning === 'always' || (dialect.replayReasoning === 'turn' && index >= turn);
    return chatMessage(message, dialect, replays);
  });
  return request.system === '' ? converted : [{ role: dialect.systemRole, content: request.system }, ...converted];
}

function chatMessage(message: Message, dialect: Dialect, replays: boolean): object[] {
  switch (message.role) {
    case 'user': {
      const [first] = message.content;
      // The templates of many servers know content as one text alone, as long as there is nothing else.
      if (message.content.length === 1 && first?.type === 'text') return [{ role: 'user', content: first.text }];
      const content = message.content.map((part) =>
        part.type === 'text' ? { type: 'text', text: part.text } : imageContent(part),
      );
      return [{ role: 'user', content }];
    }
    case 'assistant': {
      const text = message.content.map((part) => (part.type === 'text' ? part.text : '')).join('');
      const calls = message.content.filter((part) => part.type === 'tool-call');
      const reasoning = message.content.filter((part) => part.type === 'thinking');
      if (text === '' && calls.length === 0) return [];
      return [
        {
          role: 'assistant',
          content: text === '' ? null : text,
          ...(replays ? Object.assign({}, ...reasoning.map((part) => reasoningFields(part.opaque, dialect.name))) : {}),
          ...(calls.length === 0
            ? {}
            : {
                tool_calls: calls.map((call) => ({
                  id: call.id,
                  type: 'function',
                  function: { name: call.name, arguments: argumentsAsJson(call.arguments) },
                })),
              }),
        },
      ];
    }
    case 'tool': {
      const results = message.content.map((result) => ({
        role: 'tool',
        tool_call_id: result.callId,
        content: resultText(result),
      }));
      // Results have to follow their calls without a gap and hold text alone, so images come in a message of the user behind all of them.
      const images = message.content.flatMap((result) => {
        const found = imagesOf(result);
        if (found.length === 0) return [];
        return [
          { type: 'text', text: `Images that ${result.name} (${result.callId}) returned:` },
          ...found.map(imageContent),
        ];
      });
      return images.length === 0 ? results : [...results, { role: 'user', content: images }];
    }
  }
}

function imageContent(image: ImagePart): object {
  return { type: 'image_url', image_url: { url: dataUrl(image) } };
}
