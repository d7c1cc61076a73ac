import { once } from 'node:events';
import type { AddressInfo, Socket } from 'node:net';
import { createServer, type Server, type TLSSocket } from 'node:tls';
import type { NodeLogger } from '../node-options.ts';
import { ConnectionLost } from '../wire/connection.ts';
import { type JoinIdentity, parseIdentity, secretOf } from './controller-key.ts';
import { silenceMs } from './protocol.ts';
import { onSilence, secureOptions } from './secure.ts';
import { JoinSession } from './session.ts';

export interface JoinListenerOptions {
  key: Buffer;
  /** All addresses of the machine when left out. */
  host?: string | undefined;
  logger: NodeLogger;
  /** A machine that has the secret of its identity; whether that is still good is to be looked up. */
  onSession(session: JoinSession): void;
  /** Until a connection has to have shown who it is. */
  handshakeMs?: number;
  /** Connections that have not shown who they are; when there are more, the oldest goes. */
  mostStrangers?: number;
}

/** Where machines connect to join, and to come back. Whoever has no secret of this controller is heard no further than the handshake. */
export class JoinListener {
  readonly #options: JoinListenerOptions;
  readonly #server: Server;
  readonly #identities = new WeakMap<object, JoinIdentity>();
  readonly #strangers = new Map<string, Socket>();
  readonly #sessions = new Set<JoinSession>();

  constructor(options: JoinListenerOptions) {
    this.#options = options;
    const { key, handshakeMs = 10_000 } = options;
    this.#server = createServer({
      ...secureOptions,
      handshakeTimeout: handshakeMs,
      pskCallback: (socket, text) => {
        const identity = parseIdentity(text);
        if (!identity) return null;
        this.#identities.set(socket, identity);
        return secretOf(key, identity);
      },
    });
    // Such as too many open files: the next connection may work.
    this.#server.on('error', (error) => options.logger.debug({ reason: error.message }, 'could not take a connection'));
    this.#server.on('connection', (socket: Socket) => this.#meet(socket));
    this.#server.on('secureConnection', (socket) => this.#admit(socket));
    this.#server.on('tlsClientError', (error, socket) => {
      options.logger.debug(
        { from: peerOf(socket), reason: error.message },
        'a connection showed no secret of this fleet',
      );
      socket.destroy();
    });
  }

  /** Takes the first of the ports that is free; 0 is any. Returns which, undefined when none is. */
  async listen(ports: readonly number[]): Promise<number | undefined> {
    const { host } = this.#options;
    for (const port of ports) {
      try {
        this.#server.listen({ port, exclusive: true, ...(host === undefined ? {} : { host }) });
        await once(this.#server, 'listening');
        return (this.#server.address() as AddressInfo).port;
      } catch (error) {
        if (!['EADDRINUSE', 'EACCES'].includes((error as NodeJS.ErrnoException).code ?? '')) throw error;
      }
    }
    return undefined;
  }

  /** Takes no more connections; those that there are stay. */
  stopListening(): void {
    this.#server.close();
    for (const socket of this.#strangers.values()) socket.destroy();
  }

  close(): void {
    this.stopListening();
    for (const session of this.#sessions) session.close();
  }

  #meet(socket: Socket): void {
    const peer = peerOf(socket);
    this.#strangers.set(peer, socket);
    socket.once('close', () => this.#strangers.delete(peer));
    if (this.#strangers.size <= (this.#options.mostStrangers ?? 200)) return;
    const [oldest] = this.#strangers.values();
    oldest?.destroy();
  }

  #admit(socket: TLSSocket): void {
    const from = peerOf(socket);
    this.#strangers.delete(from);
    const identity = this.#identities.get(socket);
    if (!identity) {
      socket.destroy();
      return;
    }
    socket.setNoDelay(true);
    const session = new JoinSession(socket, identity, from);
    onSilence(socket, silenceMs, () =>
      session.connection.close(new ConnectionLost(`nothing was heard for ${silenceMs / 1000} s`)),
    );
    this.#sessions.add(session);
    session.connection.onClose(() => this.#sessions.delete(session));
    this.#options.onSession(session);
  }
}

function peerOf({ remoteAddress, remotePort }: Socket): string {
  return `${remoteAddress ?? 'unknown'} port ${remotePort ?? 0}`;
}
