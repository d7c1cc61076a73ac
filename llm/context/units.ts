import type { ImagePart, Message } from '../../contracts/llm.ts';

/** Messages that only make sense together: an assistant message with its calls and the messages with their results, or one message alone. */
export type Unit = Message[];

/** Cuts a conversation into units, in order. */
export function toUnits(messages: readonly Message[]): Unit[] {
  const units: Unit[] = [];
  for (const message of messages) {
    if (message.role === 'tool' && units.length > 0) units.at(-1)!.push(message);
    else units.push([message]);
  }
  return units;
}

/** Images of messages, in order, those in results of tools too. */
export function imagesOf(messages: readonly Message[]): ImagePart[] {
  return messages.flatMap((message) => {
    if (message.role === 'assistant') return [];
    if (message.role === 'user') return message.content.filter((part) => part.type === 'image');
    return message.content.flatMap((result) => result.content.filter((part) => part.type === 'image'));
  });
}

/** The message with every text of it passed through `change`: also those in tools' results and, as strings, in the arguments of calls. Unchanged when no text is. */
export function mapTexts(message: Message, change: (text: string, place: TextPlace) => string): Message {
  let changed = false;
  const apply = (text: string, place: TextPlace): string => {
    const next = change(text, place);
    changed ||= next !== text;
    return next;
  };
  const next = applyTo(message, apply);
  return changed ? next : message;
}

export type TextPlace = 'user' | 'assistant' | 'arguments' | 'tool-result';

function applyTo(message: Message, apply: (text: string, place: TextPlace) => string): Message {
  switch (message.role) {
    case 'user':
      return {
        ...message,
        content: message.content.map((part) =>
          part.type === 'text' ? { ...part, text: apply(part.text, 'user') } : part,
        ),
      };
    case 'assistant':
      return {
        ...message,
        content: message.content.map((part) => {
          if (part.type === 'text') return { ...part, text: apply(part.text, 'assistant') };
          if (part.type === 'tool-call') return { ...part, arguments: mapStrings(part.arguments, apply) };
          // What a model thought is signed: it is left whole or left out.
          return part;
        }),
      };
    case 'tool':
      return {
        ...message,
        content: message.content.map((result) => ({
          ...result,
          content: result.content.map((part) =>
            part.type === 'text' ? { ...part, text: apply(part.text, 'tool-result') } : part,
          ),
        })),
      };
  }
}

type Json = Extract<Extract<Message, { role: 'assistant' }>['content'][number], { type: 'tool-call' }>['arguments'];

function mapStrings(value: Json, apply: (text: string, place: TextPlace) => string): Json {
  if (typeof value === 'string') return apply(value, 'arguments');
  if (Array.isArray(value)) return value.map((item) => mapStrings(item, apply));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, mapStrings(item, apply)]));
}

const imageGone = '[an image was here; it was left out for want of space]';

/** The message without its images: a note stands where they were. */
export function withoutImages(message: Message): Message {
  const note = { type: 'text' as const, text: imageGone };
  if (message.role === 'user') {
    return { ...message, content: message.content.map((part) => (part.type === 'image' ? note : part)) };
  }
  if (message.role === 'assistant') return message;
  return {
    ...message,
    content: message.content.map((result) => ({
      ...result,
      content: result.content.map((part) => (part.type === 'image' ? note : part)),
    })),
  };
}
