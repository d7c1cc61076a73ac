import { hostname } from 'node:os';
import { errorCodes, HelixError } from '../../contracts/error.ts';
import type { Adoption, Hello, Refusal, Welcome } from '../join/protocol.ts';
import { askAfterMs, joinProtocol, silenceMs } from '../join/protocol.ts';
import { onSilence } from '../join/secure.ts';
import { Programs } from '../agent/programs.ts';
import { ConnectionLost, RpcConnection, type RpcHandler } from '../wire/connection.ts';
import type { TLSSocket } from 'node:tls';

/** Told what the controller says. */
export interface JoinListeners {
  /** To be kept before it returns. */
  onAdoption(adoption: Adoption): void;
  onWelcome(welcome: Welcome): void;
}

/** Answers the controller on a connection until that is lost, or nothing came for so long, and says why; throws what the controller refuses the machine with. */
export async function serveController(
  socket: TLSSocket,
  root: string,
  { onAdoption, onWelcome }: JoinListeners,
  signal: AbortSignal,
  limitMs: number = silenceMs,
): Promise<string> {
  let refusal: HelixError | undefined;
  const handlers: Record<string, RpcHandler> = {
    ...new Programs(root).handlers(),
    hello: async () => ({ protocol: joinProtocol, hostname: hostname() }) satisfies Hello,
    adopt: async (adoption: Adoption) => onAdoption(adoption),
    welcome: async (welcome: Welcome) => onWelcome(welcome),
    refuse: async ({ code, message }: Refusal) => {
      refusal = new HelixError(Object.hasOwn(errorCodes, code) ? code : 'node.removed', message);
    },
  };
  const connection = new RpcConnection(socket, socket, handlers);
  const lost = new Promise<string>((resolve) => connection.onClose(({ message }) => resolve(message)));
  onSilence(socket, limitMs, () =>
    connection.close(new ConnectionLost(`the controller was silent for ${limitMs / 1000} s`)),
  );
  let heardAt = performance.now();
  socket.on('data', () => (heardAt = performance.now()));
  // The controller's own pings of the agent are enough while one runs.
  const asking = setInterval(() => {
    if (performance.now() - heardAt >= askAfterMs) void connection.call('ping').catch(() => undefined);
  }, 1_000);
  const give = (): void => connection.close();
  signal.addEventListener('abort', give, { once: true });
  if (signal.aborted) give();
  try {
    const reason = await lost;
    if (refusal) throw refusal;
    return reason;
  } finally {
    clearInterval(asking);
    signal.removeEventListener('abort', give);
    socket.destroy();
  }
}
