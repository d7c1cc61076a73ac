import type { ContentBlockParam, MessageParam, TextBlockParam, Tool } from '@anthropic-ai/sdk/resources/messages';

const cacheControl = { type: 'ephemeral' } as const;

/** The parts of a request that are cached as one prefix, in the order in which Anthropic puts them together. */
export interface CachedPrefix {
  tools: Tool[];
  system: TextBlockParam[];
  messages: MessageParam[];
}

/**
 * Marks where the cache is written and looked up: after the tools, after the instructions, after the last message and after the user's message
 * before it. Four is what Anthropic allows. The fourth finds what the call before wrote even when this turn added more than the 20 blocks
 * that a lookup goes back.
 */
export function markCache({ tools, system, messages }: CachedPrefix): CachedPrefix {
  const users = messages.flatMap((message, index) => (message.role === 'user' ? [index] : []));
  const marked = new Set([messages.length - 1, users.filter((index) => index < messages.length - 1).at(-1)]);
  return {
    tools: markLast(tools),
    system: markLast(system),
    messages: messages.map((message, index) => (marked.has(index) ? markMessage(message) : message)),
  };
}

function markLast<T extends object>(items: T[]): T[] {
  return items.map((item, index) => (index === items.length - 1 ? { ...item, cache_control: cacheControl } : item));
}

function markMessage(message: MessageParam): MessageParam {
  // Instructions among the messages are never written here.
  if (typeof message.content === 'string' || message.role === 'system') return message;
  const content: ContentBlockParam[] = message.content;
  const last = content.findLastIndex(({ type }) => type !== 'thinking' && type !== 'redacted_thinking');
  return {
    role: message.role,
    content: content.map((block, index) => (index === last ? { ...block, cache_control: cacheControl } : block)),
  };
}
