import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type express from 'express';

export interface ApiServer {
  /** `http://127.0.0.1:PORT`. */
  url: string;
  /** Takes no more requests, gives those that run `graceMs`, then cuts what is left: event streams have no end of their own. */
  close(): Promise<void>;
}

const graceMs = 1_000;

/** Serves the API on the loopback address. Port 0 takes a free one. Throws the system's error when the port is taken. */
export async function serveApi(app: express.Application, port: number): Promise<ApiServer> {
  const server = createServer(app);
  server.listen(port, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${address.port}`,
    async close() {
      const closed = once(server, 'close');
      server.close();
      server.closeIdleConnections();
      const timer = setTimeout(() => server.closeAllConnections(), graceMs);
      await closed;
      clearTimeout(timer);
    },
  };
}
