import { connect, createServer, type Socket } from 'node:net';

/** A way to a server on this machine that can become very slow. */
export interface SlowProxy {
  port: number;
  /** From now on one byte at a time comes through, in each direction of each connection, so many milliseconds apart; 0 for all at once. */
  delayMs: number;
  /** Ends every connection; new ones are taken. */
  cut(): void;
  close(): Promise<void>;
}

export async function slowProxy(target: number): Promise<SlowProxy> {
  const sockets = new Set<Socket>();
  const server = createServer((near) => {
    const far = connect(target, '127.0.0.1');
    for (const socket of [near, far]) sockets.add(socket.setNoDelay(true).on('error', () => {}));
    dribble(near, far, () => proxy.delayMs);
    dribble(far, near, () => proxy.delayMs);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const cut = (): void => {
    for (const socket of sockets) socket.destroy();
    sockets.clear();
  };
  const proxy: SlowProxy = {
    port: (server.address() as { port: number }).port,
    delayMs: 0,
    cut,
    close: () => {
      cut();
      return new Promise((resolve) => server.close(() => resolve()));
    },
  };
  return proxy;
}

function dribble(from: Socket, to: Socket, delay: () => number): void {
  let last: Promise<void> = Promise.resolve();
  from.on('data', (chunk: Buffer) => {
    last = last.then(async () => {
      let rest = chunk;
      for (; rest.length > 0 && delay() > 0 && !to.destroyed; rest = rest.subarray(1)) {
        to.write(rest.subarray(0, 1));
        await new Promise((resolve) => setTimeout(resolve, delay()));
      }
      if (rest.length > 0 && !to.destroyed) to.write(rest);
    });
  });
  from.on('close', () => void last.then(() => to.destroy()));
}
