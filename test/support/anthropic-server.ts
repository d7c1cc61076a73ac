import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { promisify } from 'node:util';
import type { ModelMove } from './scripted-model.ts';

/** A call of the model as the server sees it: the key that stays the same when the call is made again, and the length of its body. */
export interface ServedCall {
  key: string;
  bytes: number;
}

/**
 * The Messages API as a stream, without more: a scripted server that keeps every prompt of a conversation would outgrow a test with thousands of
 * calls. Moves are texts, or one call of a tool.
 */
export async function withAnthropicServer<T>(
  answer: (call: ServedCall) => ModelMove | Promise<ModelMove>,
  use: (url: string) => Promise<T>,
): Promise<T> {
  let toolUses = 0;
  const server = createServer((request, response) => {
    let bytes = 0;
    request.on('data', (chunk: Buffer) => (bytes += chunk.length));
    request.on('end', () => {
      if (request.method !== 'POST') return void response.writeHead(404).end('{}');
      const key = String(request.headers['idempotency-key']);
      return void Promise.resolve(answer({ key, bytes })).then((move) => {
        const usage = { input_tokens: Math.ceil(bytes / 4), output_tokens: 20 };
        const events = messageEvents(move, `toolu_${(toolUses += 1)}`, usage);
        response.writeHead(200, { 'content-type': 'text/event-stream' });
        response.end(events.map((event) => `event: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`).join(''));
      });
    });
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  try {
    return await use(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
  } finally {
    server.closeAllConnections();
    await promisify(server.close.bind(server))();
  }
}

function messageEvents(move: ModelMove, id: string, usage: object): ({ type: string } & Record<string, unknown>)[] {
  const isText = typeof move === 'string';
  const call = Array.isArray(move) ? move[0]! : { tool: '', args: {} };
  const start = isText ? { type: 'text', text: '' } : { type: 'tool_use', id, name: call.tool, input: {} };
  const delta = isText
    ? { type: 'text_delta', text: move }
    : { type: 'input_json_delta', partial_json: JSON.stringify(call.args) };
  return [
    { type: 'message_start', message: { id: 'm', type: 'message', role: 'assistant', model: 'm', content: [], usage } },
    { type: 'content_block_start', index: 0, content_block: start },
    { type: 'content_block_delta', index: 0, delta },
    { type: 'content_block_stop', index: 0 },
    { type: 'message_delta', delta: { stop_reason: isText ? 'end_turn' : 'tool_use', stop_sequence: null }, usage },
    { type: 'message_stop' },
  ];
}
