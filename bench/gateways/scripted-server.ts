// A provider that answers every call with the same words at once: run by itself, it says its port.
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setImmediate } from 'node:timers/promises';

const chunks = 200;

const frame = (data: unknown, event?: string): string =>
  `${event === undefined ? '' : `event: ${event}\n`}data: ${typeof data === 'string' ? data : JSON.stringify(data)}\n\n`;
const words = Array.from({ length: chunks }, (_, index) => ` word${index}`);

const completion = {
  id: 'chatcmpl-C1aZ5sQw8QfVbYx2n4Xk3m7p9r',
  object: 'chat.completion.chunk',
  created: 1_760_000_000,
  model: 'gpt-4.1-2025-04-14',
  service_tier: 'default',
  system_fingerprint: 'fp_3502f4eb73',
};
const delta = (content: object, finish: string | null = null) =>
  frame({
    ...completion,
    choices: [{ index: 0, delta: content, logprobs: null, finish_reason: finish }],
    usage: null,
    obfuscation: 'x8Kq2',
  });
const chat = [
  delta({ role: 'assistant', content: '', refusal: null }),
  ...words.map((content) => delta({ content })),
  delta({}, 'stop'),
  frame({
    ...completion,
    choices: [],
    usage: {
      prompt_tokens: 600,
      completion_tokens: chunks,
      total_tokens: 600 + chunks,
      prompt_tokens_details: { cached_tokens: 0, audio_tokens: 0 },
      completion_tokens_details: { reasoning_tokens: 0, audio_tokens: 0 },
    },
  }),
  frame('[DONE]'),
];

const event = (data: { type: string } & Record<string, unknown>): string => frame(data, data.type);
const usage = { input_tokens: 600, cache_creation_input_tokens: 0, cache_read_input_tokens: 0 };
const messages = [
  event({
    type: 'message_start',
    message: {
      id: 'msg_01XFDUDYJgAACzvnptvVoYEL',
      type: 'message',
      role: 'assistant',
      model: 'claude-opus-4-8',
      content: [],
      stop_reason: null,
      stop_sequence: null,
      usage: { ...usage, output_tokens: 1 },
    },
  }),
  event({ type: 'content_block_start', index: 0, content_block: { type: 'text', text: '' } }),
  event({ type: 'ping' }),
  ...words.map((text) => event({ type: 'content_block_delta', index: 0, delta: { type: 'text_delta', text } })),
  event({ type: 'content_block_stop', index: 0 }),
  event({
    type: 'message_delta',
    delta: { stop_reason: 'end_turn', stop_sequence: null },
    usage: { ...usage, output_tokens: chunks },
  }),
  event({ type: 'message_stop' }),
];

const server = createServer((request, response) => {
  request.resume().once('end', () => {
    const answer = { '/v1/chat/completions': chat, '/v1/messages': messages }[request.url?.split('?')[0] ?? ''];
    if (answer) void send(response, answer);
    else response.writeHead(404).end();
  });
});

/** Each chunk as a packet of its own, as a provider does that is asked for tokens as they come. */
async function send(response: ServerResponse, answer: string[]): Promise<void> {
  response.writeHead(200, { 'content-type': 'text/event-stream; charset=utf-8', 'cache-control': 'no-cache' });
  for (const chunk of answer) {
    response.write(chunk);
    await setImmediate();
  }
  response.end();
}

// Connections stay open between the rounds: no way is to pay for a new one.
server.keepAliveTimeout = 600_000;
server.listen(0, '127.0.0.1', () => console.log((server.address() as AddressInfo).port));
