import type { Content, Part } from '@google/genai';
import type { AssistantPart, ImagePart, Message, Opaque, TextPart, ToolResultPart } from '../../../contracts/llm.ts';
import type { ModelRules } from './rules.ts';

export const providerName = 'gemini';

/** What Gemini wants back on the very part it came on. `callId` is its own id of a call, where it gave one. */
export interface GeminiData {
  thoughtSignature?: string;
  callId?: string;
}

/** What Google tells to send in place of a signature for calls that Gemini did not make itself. */
const foreignCallSignature = 'skip_thought_signature_validator';

/** The conversation in Gemini's form. Neighbours of the same role are one content. */
export function toContents(messages: readonly Message[], rules: ModelRules): Content[] {
  const ownIds = new Map(
    messages.flatMap((message) => (message.role === 'assistant' ? message.content.flatMap(ownId) : [])),
  );
  const contents: { role: string; parts: Part[] }[] = [];
  for (const message of messages) {
    const role = message.role === 'assistant' ? 'model' : 'user';
    for (const parts of partsOf(message, rules, ownIds)) {
      const last = contents.at(-1);
      if (parts.length === 0) continue;
      if (last?.role === role && !holdsResults(last.parts)) last.parts.push(...parts);
      else contents.push({ role, parts });
    }
  }
  return contents;
}

function ownId(part: AssistantPart): [string, string][] {
  const id = part.type === 'tool-call' ? dataOf(part.opaque).callId : undefined;
  return part.type === 'tool-call' && id !== undefined ? [[part.id, id]] : [];
}

/** Results stand in a content of their own: nothing may be mixed into it. */
function holdsResults(parts: readonly Part[]): boolean {
  return parts.some(({ functionResponse }) => functionResponse !== undefined);
}

function partsOf(message: Message, rules: ModelRules, ownIds: ReadonlyMap<string, string>): Part[][] {
  switch (message.role) {
    case 'user':
      return [message.content.flatMap(visible)];
    case 'assistant':
      return [assistantParts(message.content, rules)];
    case 'tool': {
      const images = rules.imagesInResults ? [] : message.content.flatMap(imagesOf);
      return [message.content.map((result) => toolResult(result, rules, ownIds)), images];
    }
  }
}

function assistantParts(content: readonly AssistantPart[], rules: ModelRules): Part[] {
  const firstCall = content.find(({ type }) => type === 'tool-call');
  return content.flatMap((part): Part[] => {
    const { thoughtSignature, callId } = dataOf(part.opaque);
    const signed = thoughtSignature === undefined ? {} : { thoughtSignature };
    switch (part.type) {
      case 'text':
        return part.text === '' && thoughtSignature === undefined ? [] : [{ text: part.text, ...signed }];
      case 'thinking':
        // Summaries of thoughts are for people; the model wants none but those that it signed.
        return thoughtSignature === undefined ? [] : [{ text: part.text, thought: true, thoughtSignature }];
      case 'tool-call': {
        // Of the calls made at once Gemini signs the first.
        const foreign = rules.signedCalls && part === firstCall && thoughtSignature === undefined;
        return [
          {
            functionCall: {
              ...(callId === undefined ? {} : { id: callId }),
              name: part.name,
              args: objectOf(part.arguments),
            },
            ...(foreign ? { thoughtSignature: foreignCallSignature } : signed),
          },
        ];
      }
    }
  });
}

function toolResult(result: ToolResultPart, rules: ModelRules, ownIds: ReadonlyMap<string, string>): Part {
  const text = result.content.flatMap((part) => (part.type === 'text' ? [part.text] : [])).join('\n');
  const images = rules.imagesInResults ? imagesOf(result) : [];
  const id = ownIds.get(result.callId);
  return {
    functionResponse: {
      ...(id === undefined ? {} : { id }),
      name: result.name,
      response: result.isError ? { error: text } : { output: text },
      ...(images.length > 0 ? { parts: images } : {}),
    },
  };
}

function imagesOf(result: ToolResultPart): { inlineData: { mimeType: string; data: string } }[] {
  return result.content.flatMap((part) => (part.type === 'image' ? [inline(part)] : []));
}

function visible(part: TextPart | ImagePart): Part[] {
  if (part.type === 'image') return [inline(part)];
  return part.text === '' ? [] : [{ text: part.text }];
}

function inline({ mediaType, data }: ImagePart): { inlineData: { mimeType: string; data: string } } {
  return { inlineData: { mimeType: mediaType, data } };
}

function dataOf(opaque: Opaque | undefined): GeminiData {
  return opaque?.provider === providerName ? (opaque.data as GeminiData) : {};
}

function objectOf(value: unknown): Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
    ? (value as Record<string, unknown>)
    : { invalid: value };
}
