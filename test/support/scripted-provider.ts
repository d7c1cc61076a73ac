import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { promisify } from 'node:util';

/** What the server was asked: the last text of a user, and how many answers the model has given since. */
export interface Asked {
  model: string;
  prompt: string;
  answers: number;
  maxTokens: number;
  hasImages: boolean;
  promptBytes: number;
  /** The request as it came. */
  body: RequestBody;
}

export interface RequestBody {
  model: string;
  max_tokens?: number;
  max_completion_tokens?: number;
  messages: { role: string; content: unknown }[];
  thinking?: unknown;
  temperature?: number;
  tool_choice?: unknown;
}

/**
 * What it does with a request. `usage` is what it says the answer cost; `cut` ends the connection after the first words; `stop` is why it ends, as Anthropic
 * says it; `garbled` is sent in place of an answer.
 */
export type ProviderMove =
  | {
      /** Before the text, with a signature; of Anthropic alone. */
      thinking?: string;
      text?: string;
      calls?: { tool: string; args: unknown }[];
      usage?: { input: number; output: number };
      cut?: boolean;
      stop?: string;
    }
  | { garbled: string }
  | { status: number; retryAfter?: number; message?: string }
  | 'hang';

export interface JournalEntry extends Asked {
  at: number;
  /** Tokens that the answer cost, sent or not. */
  usage: { input: number; output: number };
  /** Whether the answer went out whole; false for one under way or refused. */
  answered: boolean;
}

export interface ScriptedProvider {
  url: string;
  /** Every request, as it came. */
  journal: JournalEntry[];
}

/** A server of Anthropic's Messages API and OpenAI's chat completions, as streams, that keeps a journal and counts what it would charge. */
export async function withScriptedProvider<T>(
  move: (asked: Asked, journal: readonly JournalEntry[]) => ProviderMove | Promise<ProviderMove>,
  use: (provider: ScriptedProvider) => Promise<T>,
): Promise<T> {
  const journal: JournalEntry[] = [];
  const server = createServer((request, response) => {
    void serve(request, response).catch(() => response.destroy());
  });
  const serve = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    if (request.method !== 'POST') {
      response.writeHead(404).end('{}');
      return;
    }
    const bytes = Buffer.concat(chunks);
    const asked = read(JSON.parse(bytes.toString()) as RequestBody, bytes.length);
    const entry: JournalEntry = { ...asked, at: Date.now(), usage: { input: 0, output: 0 }, answered: false };
    journal.push(entry);
    const does = await move(asked, journal);
    if (does === 'hang') return;
    if ('status' in does) {
      const headers = does.retryAfter === undefined ? {} : { 'retry-after': String(does.retryAfter) };
      const type =
        does.status === 529
          ? 'overloaded_error'
          : does.status === 429
            ? 'rate_limit_error'
            : does.status === 400
              ? 'invalid_request_error'
              : 'api_error';
      response.writeHead(does.status, { 'content-type': 'application/json', ...headers });
      response.end(JSON.stringify({ type: 'error', error: { type, message: does.message ?? 'no' } }));
      return;
    }
    if ('garbled' in does) {
      response.writeHead(200, { 'content-type': 'text/event-stream' }).end(does.garbled);
      return;
    }
    entry.usage = does.usage ?? { input: Math.ceil(bytes.length / 4), output: 20 };
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    const lines = request.url?.includes('/chat/completions') ? chatLines(does, entry) : messageLines(does, entry);
    if (does.cut) {
      response.write(lines.slice(0, 3).join(''), () => response.destroy());
      return;
    }
    response.end(lines.join(''));
    entry.answered = true;
  };
  await once(server.listen(0, '127.0.0.1'), 'listening');
  try {
    return await use({ url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, journal });
  } finally {
    server.closeAllConnections();
    await promisify(server.close.bind(server))();
  }
}

function read(body: RequestBody, promptBytes: number): Asked {
  const { messages } = body;
  const from = messages.findLastIndex((message) => message.role === 'user' && textOf(message.content) !== '');
  return {
    model: body.model,
    prompt: textOf(messages[from]?.content),
    answers: messages.slice(from + 1).filter((message) => message.role === 'assistant').length,
    maxTokens: body.max_tokens ?? body.max_completion_tokens ?? 0,
    hasImages: /"type":"image(?:_url)?"/.test(JSON.stringify(messages)),
    promptBytes,
    body,
  };
}

function textOf(content: unknown): string {
  if (typeof content === 'string') return content;
  if (!Array.isArray(content)) return '';
  return (content as { type: string; text?: string }[])
    .flatMap((part) => (part.type === 'text' && part.text !== undefined ? [part.text] : []))
    .join('');
}

type Answer = Exclude<ProviderMove, string | { status: number } | { garbled: string }>;
let callIds = 0;

function messageLines({ thinking, text, calls = [], stop }: Answer, { usage }: JournalEntry): string[] {
  const counted = { input_tokens: usage.input, output_tokens: usage.output };
  const thought = [
    { type: 'thinking_delta', thinking },
    { type: 'signature_delta', signature: 'signed' },
  ];
  const blocks = [
    ...(thinking === undefined ? [] : [{ start: { type: 'thinking', thinking: '', signature: '' }, deltas: thought }]),
    ...(text === undefined ? [] : [{ start: { type: 'text', text: '' }, deltas: [{ type: 'text_delta', text }] }]),
    ...calls.map(({ tool, args }) => ({
      start: { type: 'tool_use', id: `toolu_${(callIds += 1)}`, name: tool, input: {} },
      deltas: [{ type: 'input_json_delta', partial_json: JSON.stringify(args) }],
    })),
  ];
  const message = { id: 'm', type: 'message', role: 'assistant', model: 'm', content: [], usage: counted };
  const ending = { stop_reason: stop ?? (calls.length > 0 ? 'tool_use' : 'end_turn'), stop_sequence: null };
  const events = [
    { type: 'message_start', message },
    ...blocks.flatMap(({ start, deltas }, index) => [
      { type: 'content_block_start', index, content_block: start },
      ...deltas.map((delta) => ({ type: 'content_block_delta', index, delta })),
      { type: 'content_block_stop', index },
    ]),
    { type: 'message_delta', delta: ending, usage: counted },
    { type: 'message_stop' },
  ];
  return events.map((event) => `event: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`);
}

function chatLines({ text, calls = [] }: Answer, { usage }: JournalEntry): string[] {
  const chunk = (choice: object | null, more: object = {}): string =>
    `data: ${JSON.stringify({ id: 'c', object: 'chat.completion.chunk', created: 0, model: 'm', choices: choice ? [choice] : [], ...more })}\n\n`;
  const called = calls.map(({ tool, args }, index) => ({
    index,
    id: `call_${(callIds += 1)}`,
    type: 'function',
    function: { name: tool, arguments: JSON.stringify(args) },
  }));
  return [
    chunk({ index: 0, delta: { role: 'assistant', content: text ?? '' }, finish_reason: null }),
    ...(called.length > 0 ? [chunk({ index: 0, delta: { tool_calls: called }, finish_reason: null })] : []),
    chunk({ index: 0, delta: {}, finish_reason: calls.length > 0 ? 'tool_calls' : 'stop' }),
    chunk(null, {
      usage: { prompt_tokens: usage.input, completion_tokens: usage.output, total_tokens: usage.input + usage.output },
    }),
    'data: [DONE]\n\n',
  ];
}
