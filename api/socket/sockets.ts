import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { type WebSocket, WebSocketServer } from 'ws';
import { errorCodes, HelixError } from '../../contracts/error.ts';
import { largestSocketRequest } from '../../contracts/socket.ts';
import { whyForeign } from '../middleware/loopback-only.ts';
import { problemOf } from '../problem.ts';
import { Connection } from './connection.ts';
import { type StreamContext, streams } from './streams.ts';

export interface Sockets {
  /** For the server's event of that name. */
  upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void;
  /** Says to all that the server goes, and cuts after `graceMs` those who do not. */
  close(graceMs: number): void;
}

/**
 * The streams over WebSockets. Who may not ask at all gets an HTTP status instead of one. Browsers do not show scripts such a status, so what is wrong
 * with a request from our own origin is said on the open connection, which is then closed with 4000 and the status.
 */
export function createSockets(context: StreamContext): Sockets {
  const server = new WebSocketServer({ noServer: true, maxPayload: largestSocketRequest, clientTracking: false });
  const open = new Set<Connection>();

  const serve = async (socket: WebSocket, url: URL): Promise<void> => {
    const connection = new Connection(socket, context.timings.heartbeatMs);
    open.add(connection);
    connection.signal.addEventListener('abort', () => open.delete(connection));
    try {
      await stream(context, connection, url);
      await connection.send({ type: 'end' });
      connection.close(1000, 'there is nothing more to come');
    } catch (error) {
      if (connection.signal.aborted) return;
      await sayFault(context, connection, url, error);
    }
  };

  return {
    upgrade(request, socket, head) {
      // Nobody else listens to it before the connection stands: an error would end the process.
      socket.on('error', () => socket.destroy());
      const url = URL.parse(request.url ?? '', 'http://localhost');
      const foreign = whyForeign(request.headers);
      if (foreign !== undefined) return refuse(socket, 403, foreign);
      if (!url || !streams.some(({ path }) => path.test(url.pathname)))
        return refuse(socket, 404, `there is no WebSocket at ${url?.pathname ?? ''}`);
      server.handleUpgrade(request, socket, head, (webSocket) => void serve(webSocket, url));
    },
    close(graceMs) {
      for (const connection of open) connection.close(1001, 'the server goes: connect again');
      setTimeout(() => {
        for (const connection of open) connection.cut();
      }, graceMs).unref();
    },
  };
}

async function stream(context: StreamContext, connection: Connection, url: URL): Promise<void> {
  for (const { path, serve } of streams) {
    const [, ...parts] = path.exec(url.pathname) ?? [];
    if (parts.length > 0)
      return await serve(context, connection, parts.map(decoded), Object.fromEntries(url.searchParams));
  }
}

function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch (error) {
    throw new HelixError('usage.invalid', `"${part}" in the address is not written as addresses are`, { cause: error });
  }
}

async function sayFault({ deps }: StreamContext, connection: Connection, url: URL, error: unknown): Promise<void> {
  const isKnown = error instanceof HelixError;
  if (!isKnown) deps.logger.error({ err: error, url: url.pathname }, 'a WebSocket failed unexpectedly');
  const code = isKnown ? error.code : 'internal';
  const message = isKnown ? error.message : 'this is a fault of HelixCode: its log says more';
  await connection.send({ type: 'error', code, message }).catch(() => undefined);
  connection.close(isKnown ? 4000 + errorCodes[code].httpStatus : 1011, code);
}

function refuse(socket: Duplex, status: number, detail: string): void {
  const problem = problemOf({ status, code: 'usage.invalid', detail });
  const body = JSON.stringify(problem);
  const head = [
    `HTTP/1.1 ${status} ${problem.title}`,
    'Content-Type: application/problem+json; charset=utf-8',
    `Content-Length: ${Buffer.byteLength(body)}`,
    'Connection: close',
  ];
  socket.end(`${head.join('\r\n')}\r\n\r\n${body}`);
}
