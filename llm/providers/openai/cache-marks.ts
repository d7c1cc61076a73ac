import type { WireBody } from './dialect.ts';

type Content = string | Record<string, unknown>[] | null | undefined;
interface MarkedMessage {
  role: string;
  content?: Content;
}

/** Marks the end of the instructions and of the conversation so far for servers that cache a prompt up to such marks. */
export function withCacheMarks(body: WireBody): WireBody {
  const messages = body['messages'] as MarkedMessage[];
  const last = messages.findLastIndex((message) => message.role !== 'assistant');
  const marked = messages.map((message, index) =>
    message.role === 'system' || index === last ? { ...message, content: mark(message.content) } : message,
  );
  return { ...body, messages: marked };
}

function mark(content: Content): Content {
  const parts =
    typeof content === 'string' ? (content === '' ? [] : [{ type: 'text', text: content }]) : (content ?? []);
  const end = parts.at(-1);
  return end === undefined ? content : [...parts.slice(0, -1), { ...end, cache_control: { type: 'ephemeral' } }];
}
