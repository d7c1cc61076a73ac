import type {
  ContentBlockParam,
  ImageBlockParam,
  MessageParam,
  TextBlockParam,
  ToolResultBlockParam,
} from '@anthropic-ai/sdk/resources/messages';
import type { AssistantPart, ImagePart, Message, TextPart, ToolResultPart } from '../../../contracts/llm.ts';

export const providerName = 'anthropic';

/** What Claude wants back: the signature of a thinking block, or a block that is encrypted as a whole. Valid for the model that made it. */
export type ThinkingData = { model: string } & ({ signature: string } | { redacted: string });

/** The conversation in Anthropic's form, for one model. Neighbours of the same role are one message. */
export function toMessages(messages: readonly Message[], model: string): MessageParam[] {
  const converted: { role: 'user' | 'assistant'; content: ContentBlockParam[] }[] = [];
  for (const message of messages) {
    const role = message.role === 'assistant' ? 'assistant' : 'user';
    const content = blocks(message, model);
    const last = converted.at(-1);
    if (content.length === 0) continue;
    if (last?.role === role) last.content.push(...content);
    else converted.push({ role, content });
  }
  return converted;
}

/** Whether the calls that the last message answers came without thinking of this model: it then must not be asked to think in budgets. */
export function answersUnthought(messages: readonly MessageParam[]): boolean {
  const calls = messages.findLast((message) => message.role === 'assistant');
  const last = messages.at(-1);
  if (!calls || !last || !Array.isArray(last.content) || !Array.isArray(calls.content)) return false;
  if (!last.content.some((block) => block.type === 'tool_result')) return false;
  const first = calls.content[0]?.type;
  return first !== 'thinking' && first !== 'redacted_thinking';
}

function blocks(message: Message, model: string): ContentBlockParam[] {
  switch (message.role) {
    case 'assistant':
      return message.content.flatMap((part) => assistantBlock(part, model));
    case 'tool':
      return message.content.map(toolResult);
    case 'user':
      return message.content.flatMap(visible);
  }
}

function assistantBlock(part: AssistantPart, model: string): ContentBlockParam[] {
  switch (part.type) {
    case 'text':
      return visible(part);
    case 'thinking':
      return thinking(part.text, part.opaque, model);
    case 'tool-call':
      return [{ type: 'tool_use', id: callId(part.id), name: toolName(part.name), input: objectOf(part.arguments) }];
  }
}

/** Thinking of other providers and of other models is left out: its signature would be refused. */
function thinking(
  text: string,
  opaque: { provider: string; data: unknown } | undefined,
  model: string,
): ContentBlockParam[] {
  if (opaque?.provider !== providerName) return [];
  const data = opaque.data as ThinkingData;
  if (data.model !== model) return [];
  return 'redacted' in data
    ? [{ type: 'redacted_thinking', data: data.redacted }]
    : [{ type: 'thinking', thinking: text, signature: data.signature }];
}

function toolResult(part: ToolResultPart): ToolResultBlockParam {
  const content = part.content.flatMap(visible);
  return {
    type: 'tool_result',
    tool_use_id: callId(part.callId),
    ...(content.length === 0 ? {} : { content }),
    ...(part.isError ? { is_error: true } : {}),
  };
}

/** Text that is nothing but blank is refused as a block. */
function visible(part: TextPart | ImagePart): (TextBlockParam | ImageBlockParam)[] {
  if (part.type === 'image') {
    return [{ type: 'image', source: { type: 'base64', media_type: part.mediaType, data: part.data } }];
  }
  return part.text.trim() === '' ? [] : [{ type: 'text', text: part.text }];
}

/** Ids that other providers made may hold signs that are refused here. */
function callId(id: string): string {
  return id.replace(/[^a-zA-Z0-9_-]/g, '_');
}

function toolName(name: string): string {
  return name.replace(/[^a-zA-Z0-9_-]/g, '_').slice(0, 128);
}

/** Arguments that were no object are shown to the model as what they were. */
function objectOf(value: unknown): unknown {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? value : { invalid: value };
}
