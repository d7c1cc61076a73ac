import { setTimeout as sleep } from 'node:timers/promises';
import { LLMock } from '@copilotkit/aimock';
import type { ChatCompletionRequest, FixtureResponse } from '@copilotkit/aimock';

/** What the model does next: words, calls of tools, or a refusal by HTTP status; each maybe after a while. */
export type ModelMove =
  | string
  | { tool: string; args: unknown }[]
  | { status: number; retryAfter?: number }
  | { afterMs: number; move: ModelMove };

export interface ScriptedModel {
  url: string;
  /** Requests served so far. */
  calls(): number;
}

/**
 * A model by script behind a real wire format: `move` is given what was asked last (the text of the last user message, how many answers the model
 * has given since, the text of all tool results, and the system prompt) and says what the model does.
 */
export async function withScriptedModel<T>(
  move: (asked: { prompt: string; answers: number; results: string[]; system: string }) => ModelMove,
  use: (model: ScriptedModel) => Promise<T>,
): Promise<T> {
  const server = new LLMock({ port: 0, host: '127.0.0.1', logLevel: 'silent' });
  let callIds = 0;
  const answer = async (request: ChatCompletionRequest): Promise<FixtureResponse> => {
    const { messages } = request;
    const from = messages.findLastIndex((message) => message.role === 'user');
    const since = messages.slice(from + 1);
    let said = move({
      prompt: textOf(messages[from]?.content),
      answers: since.filter((message) => message.role === 'assistant').length,
      system: messages
        .filter((message) => message.role === 'system')
        .map((message) => textOf(message.content))
        .join('\n'),
      results: messages.filter((message) => message.role === 'tool').map((message) => textOf(message.content)),
    });
    while (typeof said === 'object' && 'afterMs' in said) {
      await sleep(said.afterMs);
      said = said.move;
    }
    const usage = { input_tokens: Math.ceil(JSON.stringify(request.messages).length / 4), output_tokens: 20 };
    if (typeof said === 'string') return { content: said, usage };
    if (!Array.isArray(said)) {
      const type = said.status === 529 ? 'overloaded_error' : 'rate_limit_error';
      return { error: { message: 'no', type }, ...said };
    }
    return {
      usage,
      toolCalls: said.map(({ tool, args }) => ({
        id: `call_${(callIds += 1)}`,
        name: tool,
        arguments: JSON.stringify(args),
      })),
    };
  };
  server.addFixtures([{ match: { predicate: () => true }, response: answer }]);
  await server.start();
  try {
    return await use({ url: server.url, calls: () => server.getRequests().length });
  } finally {
    await server.stop();
  }
}

function textOf(content: unknown): string {
  if (typeof content === 'string') return content;
  if (!Array.isArray(content)) return '';
  return (content as { text?: string }[]).map((part) => part.text ?? '').join('');
}
