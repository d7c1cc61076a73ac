import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type express from 'express';
import type { Sockets } from './socket/sockets.ts';

export interface Api {
  app: express.Application;
  sockets: Sockets;
}

export interface ApiServer {
  /** `http://HOST:PORT`. */
  url: string;
  /** Takes no more requests, gives those that run `graceMs`, then cuts what is left: event streams have no end of their own. */
  close(graceMs?: number): Promise<void>;
}

/** Serves the API. Port 0 takes a free one. Throws the system's error when the port is taken. */
export async function serveApi({ app, sockets }: Api, listen: { host: string; port: number }): Promise<ApiServer> {
  const server = createServer(app);
  server.on('upgrade', (request, socket, head) => sockets.upgrade(request, socket, head));
  server.listen(listen.port, listen.host);
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const host = listen.host.includes(':') ? `[${listen.host}]` : listen.host;
  return {
    url: `http://${host}:${port}`,
    async close(graceMs = 1_000) {
      const closed = once(server, 'close');
      server.close();
      sockets.close(graceMs);
      const timer = setTimeout(() => server.closeAllConnections(), graceMs);
      await closed;
      clearTimeout(timer);
    },
  };
}
