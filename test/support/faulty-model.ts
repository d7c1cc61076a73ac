import { once } from 'node:events';
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';

export type WireFormat = 'anthropic' | 'openai';

/** What a provider does with one request. `args` is sent as it is, so that it can be no JSON. */
export type Reaction =
  | { does: 'call'; tool: string; args: string; afterMs?: number }
  | { does: 'say'; text: string; ends?: 'max-tokens' | 'refusal' }
  | { does: 'fail'; status: number; headers?: () => Record<string, string>; error: { type: string; message: string } }
  /** The connection breaks in the middle of the arguments of a call. */
  | { does: 'break-off'; tool: string; args: string }
  /** The stream goes on with what is no JSON. */
  | { does: 'stammer'; tool: string; args: string };

export interface Served {
  format: WireFormat;
  does: Reaction['does'];
  /** The same when a call is made again. */
  key: string;
  at: number;
}

/**
 * A provider that reacts as it is told, request by request, in the Messages API (`/v1/messages`) or OpenAI's chat completions (`/chat/completions`)
 * as streams. Reactions are taken from the front of the lists; a request behind the last one is answered with status 418.
 */
export async function withFaultyModel<T>(
  reactions: Record<WireFormat, Reaction[]>,
  use: (model: { url: string; journal: Served[] }) => Promise<T>,
): Promise<T> {
  const journal: Served[] = [];
  const server = createServer((request, response) => {
    request.resume();
    request.on('end', () => {
      const path = request.url!.split('?')[0]!;
      const format = path.endsWith('/messages')
        ? 'anthropic'
        : path.endsWith('/chat/completions')
          ? 'openai'
          : undefined;
      if (request.method !== 'POST' || !format) return void response.writeHead(404).end('{}');
      const reaction = reactions[format].shift() ?? {
        does: 'fail',
        status: 418,
        error: { type: 'teapot', message: 'no more' },
      };
      const key = String(request.headers['idempotency-key']);
      journal.push({ format, does: reaction.does, key, at: Date.now() });
      return void react(response, format, reaction);
    });
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  try {
    return await use({ url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, journal });
  } finally {
    server.closeAllConnections();
    await promisify(server.close.bind(server))();
  }
}

let calls = 0;

async function react(response: ServerResponse, format: WireFormat, reaction: Reaction): Promise<void> {
  if (reaction.does === 'fail') {
    const { status, headers, error } = reaction;
    response.writeHead(status, { 'content-type': 'application/json', ...headers?.() });
    response.end(JSON.stringify(format === 'anthropic' ? { type: 'error', error } : { error }));
    return;
  }
  response.writeHead(200, { 'content-type': 'text/event-stream' });
  if (reaction.does === 'call' && reaction.afterMs) await sleep(reaction.afterMs);
  const id = `call_${(calls += 1)}`;
  const frames = format === 'anthropic' ? messages(reaction, id) : completions(reaction, id);
  if (reaction.does === 'break-off' || reaction.does === 'stammer') {
    // Up to the first half of the arguments.
    for (const frame of frames.slice(0, 3)) response.write(frame);
    await sleep(100);
    if (reaction.does === 'break-off') response.destroy();
    else
      response.end(
        format === 'anthropic'
          ? 'event: content_block_delta\ndata: {"type":"content_bl}\n\n'
          : 'data: {"choices":[{"in\n\n',
      );
    return;
  }
  response.end(frames.join(''));
}

type Answer = Exclude<Reaction, { does: 'fail' }>;
const halves = (args: string): [string, string] => [args.slice(0, args.length >> 1), args.slice(args.length >> 1)];

function messages(answer: Answer, id: string): string[] {
  const event = (type: string, data: object): string =>
    `event: ${type}\ndata: ${JSON.stringify({ type, ...data })}\n\n`;
  const usage = { input_tokens: 1_000, output_tokens: 20 };
  const start = event('message_start', {
    message: { id: 'm', type: 'message', role: 'assistant', model: 'm', content: [], usage },
  });
  const end = (stop_reason: string): string[] => [
    event('message_delta', { delta: { stop_reason, stop_sequence: null }, usage }),
    event('message_stop', {}),
  ];
  if (answer.does === 'say') {
    const reason = { 'max-tokens': 'max_tokens', refusal: 'refusal', none: 'end_turn' }[answer.ends ?? 'none'];
    if (answer.text === '') return [start, ...end(reason)];
    return [
      start,
      event('content_block_start', { index: 0, content_block: { type: 'text', text: '' } }),
      event('content_block_delta', { index: 0, delta: { type: 'text_delta', text: answer.text } }),
      event('content_block_stop', { index: 0 }),
      ...end(reason),
    ];
  }
  const [first, second] = halves(answer.args);
  const piece = (partial_json: string): string =>
    event('content_block_delta', { index: 0, delta: { type: 'input_json_delta', partial_json } });
  return [
    start,
    event('content_block_start', { index: 0, content_block: { type: 'tool_use', id, name: answer.tool, input: {} } }),
    piece(first),
    piece(second),
    event('content_block_stop', { index: 0 }),
    ...end('tool_use'),
  ];
}

function completions(answer: Answer, id: string): string[] {
  const chunk = (delta: object, finish_reason: string | null = null): string =>
    `data: ${JSON.stringify({ id: 'c', object: 'chat.completion.chunk', created: 1, model: 'm', choices: [{ index: 0, delta, finish_reason }] })}\n\n`;
  const usage = `data: ${JSON.stringify({ id: 'c', object: 'chat.completion.chunk', created: 1, model: 'm', choices: [], usage: { prompt_tokens: 1_000, completion_tokens: 20, total_tokens: 1_020 } })}\n\n`;
  const end = (reason: string): string[] => [chunk({}, reason), usage, 'data: [DONE]\n\n'];
  if (answer.does === 'say') {
    const reason = { 'max-tokens': 'length', refusal: 'content_filter', none: 'stop' }[answer.ends ?? 'none'];
    return [chunk({ role: 'assistant', content: answer.text }), ...end(reason)];
  }
  const [first, second] = halves(answer.args);
  const piece = (text: string): string => chunk({ tool_calls: [{ index: 0, function: { arguments: text } }] });
  return [
    chunk({ role: 'assistant', content: null }),
    chunk({ tool_calls: [{ index: 0, id, type: 'function', function: { name: answer.tool, arguments: '' } }] }),
    piece(first),
    piece(second),
    ...end('tool_calls'),
  ];
}
