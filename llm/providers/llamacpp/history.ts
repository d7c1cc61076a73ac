import type { JsonValue, LlmRequest, Message, ToolResultPart } from '../../../contracts/llm.ts';
import { resultText } from '../openai/content.ts';
import type { HistoryItem, ResponseItem } from './binding.ts';

/** What a call of a tool carries back and forth: the model that wrote it, and how. */
export interface CallOpaque {
  model: string;
  raw: JsonValue;
}

/** The conversation as llama.cpp's templates take it: results stand in the calls, and all between two messages of the user is one answer. */
export function chatHistory({
  model,
  system,
  messages,
}: Pick<LlmRequest, 'model' | 'system' | 'messages'>): HistoryItem[] {
  const results = new Map(
    messages.flatMap((message) =>
      message.role === 'tool' ? message.content.map((part) => [part.callId, part] as const) : [],
    ),
  );
  const history: HistoryItem[] = system === '' ? [] : [{ type: 'system', text: system }];
  for (const message of messages) {
    if (message.role === 'user') history.push({ type: 'user', text: userText(message) });
    if (message.role !== 'assistant') continue;
    const response = message.content.flatMap((part) => responseItem(part, model, results));
    const last = history.at(-1);
    if (last?.type === 'model') last.response.push(...response);
    else history.push({ type: 'model', response });
  }
  return history;
}

function userText(message: Extract<Message, { role: 'user' }>): string {
  return message.content.flatMap((part) => (part.type === 'text' ? [part.text] : [])).join('\n');
}

function responseItem(
  part: Extract<Message, { role: 'assistant' }>['content'][number],
  model: string,
  results: ReadonlyMap<string, ToolResultPart>,
): ResponseItem[] {
  switch (part.type) {
    case 'text':
      return [part.text];
    case 'thinking':
      // Thoughts of other models are not its own.
      if (part.opaque?.provider !== 'llamacpp' || part.text === '') return [];
      return [{ type: 'segment', segmentType: 'thought', text: part.text, ended: true }];
    case 'tool-call': {
      const result = results.get(part.id);
      const written = part.opaque?.provider === 'llamacpp' ? (part.opaque.data as unknown as CallOpaque) : undefined;
      return [
        {
          type: 'functionCall',
          name: part.name,
          params: part.arguments,
          result: result ? resultText(result) : 'Error: there is no result',
          // Another model writes calls in another way.
          ...(written?.model === model ? { rawCall: written.raw } : {}),
        },
      ];
    }
  }
}
