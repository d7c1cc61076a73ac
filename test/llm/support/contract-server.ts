import { createServer } from 'node:http';
import type { IncomingHttpHeaders, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';

export interface ReceivedRequest {
  method: string;
  /** With its query. */
  path: string;
  headers: IncomingHttpHeaders;
  /** As it came, byte for byte. */
  raw: string;
  /** The parsed JSON; null where there is none. */
  body: unknown;
}

/** A small server that holds one provider's contract, where the scripted server does not speak it. */
export interface ContractServer {
  readonly url: string;
  readonly requests: ReceivedRequest[];
}

/** Runs `use` with a server that answers with `handle`, and stops it afterwards with all its connections. */
export async function withContractServer<T>(
  handle: (request: ReceivedRequest, response: ServerResponse) => void | Promise<void>,
  use: (server: ContractServer) => Promise<T>,
): Promise<T> {
  const requests: ReceivedRequest[] = [];
  const server = createServer((incoming, response) => {
    void (async () => {
      const raw = await text(incoming);
      const isJson = /^\s*[[{]/.test(raw);
      const request: ReceivedRequest = {
        method: incoming.method ?? '',
        path: incoming.url ?? '',
        headers: incoming.headers,
        raw,
        body: isJson ? JSON.parse(raw) : null,
      };
      requests.push(request);
      await handle(request, response);
    })().catch((error: unknown) => response.destroy(error as Error));
  });
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  try {
    return await use({ url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, requests });
  } finally {
    server.closeAllConnections();
    await new Promise((resolve) => {
      server.close(resolve);
    });
  }
}

/** Sends JSON. */
export function sendJson(
  response: ServerResponse,
  status: number,
  body: unknown,
  headers: Record<string, string> = {},
): void {
  response.writeHead(status, { 'content-type': 'application/json', ...headers });
  response.end(JSON.stringify(body));
}

/** Sends server-sent events: each is an object (Anthropic: with `type`, which also names the event), or text sent as it is. */
export function sendEvents(
  response: ServerResponse,
  events: readonly (object | string)[],
  end: 'close' | 'cut' = 'close',
): void {
  response.writeHead(200, { 'content-type': 'text/event-stream' });
  for (const event of events) response.write(typeof event === 'string' ? event : eventText(event));
  if (end === 'close') response.end();
  else setTimeout(() => response.destroy(), 20);
}

function eventText(event: object): string {
  const name = 'type' in event && typeof event.type === 'string' ? `event: ${event.type}\n` : '';
  return `${name}data: ${JSON.stringify(event)}\n\n`;
}
