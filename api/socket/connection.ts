import type { RawData, WebSocket } from 'ws';
import type { SocketMessage } from '../../contracts/socket.ts';

/** After so many heartbeats without a sign of life the other end counts as gone. */
const silentHeartbeats = 3;

/** Bytes of a close frame's reason; a character that is cut becomes one of three bytes, and 123 are allowed. */
const longestReason = 120;

/** One WebSocket: sends no faster than the other end takes it, and notices when that is gone. */
export class Connection {
  /** Aborted when the connection has ended. */
  readonly signal: AbortSignal;
  readonly #socket: WebSocket;
  #heardAt = performance.now();
  /** Messages that were read and not yet dealt with. */
  #untaken = 0;
  #lastTaken: Promise<void> = Promise.resolve();

  constructor(socket: WebSocket, heartbeatMs: number) {
    this.#socket = socket;
    // Until somebody listens: a message that comes before would be lost.
    socket.pause();
    const ended = new AbortController();
    this.signal = ended.signal;
    const heartbeat = setInterval(() => {
      // Nothing can be heard while nothing is read.
      const isSilent = !socket.isPaused && performance.now() - this.#heardAt > silentHeartbeats * heartbeatMs;
      if (isSilent) socket.terminate();
      else socket.ping();
    }, heartbeatMs);
    socket.on('pong', () => this.#hear());
    socket.on('message', () => this.#hear());
    // What breaks a connection comes as its end too.
    socket.on('error', () => undefined);
    socket.once('close', () => {
      clearInterval(heartbeat);
      ended.abort();
    });
  }

  /** Resolves when the system has taken all of it, so that at most one message is held here. Throws when the connection has ended. */
  async send(message: SocketMessage | Buffer): Promise<void> {
    this.signal.throwIfAborted();
    const data = Buffer.isBuffer(message) ? message : JSON.stringify(message);
    await new Promise<void>((resolve, reject) => {
      const onEnd = (): void => reject(this.signal.reason as Error);
      this.signal.addEventListener('abort', onEnd, { once: true });
      this.#socket.send(data, (error) => {
        this.signal.removeEventListener('abort', onEnd);
        if (error) reject(error);
        else resolve();
      });
    });
    this.#hear();
  }

  /**
   * Begins to read what comes. Calls `take`, which never throws, with each text message, one after the other, and reads no more than can be dealt with;
   * without it messages are ignored.
   */
  listen(take?: (text: string) => Promise<void>): void {
    const socket = this.#socket;
    this.#hear();
    socket.resume();
    if (!take) return;
    socket.on('message', (data: RawData, isBinary: boolean) => {
      if (isBinary) return this.close(1003, 'messages are text');
      this.#untaken += 1;
      socket.pause();
      this.#lastTaken = this.#lastTaken.then(async () => {
        await take((data as Buffer).toString());
        this.#untaken -= 1;
        if (this.#untaken > 0) return;
        this.#hear();
        socket.resume();
      });
    });
  }

  close(code: number, reason: string): void {
    // The other end's answer has to be read.
    this.#socket.resume();
    this.#socket.close(code, Buffer.from(reason).toString('utf8', 0, longestReason));
  }

  /** Without a word. */
  cut(): void {
    this.#socket.terminate();
  }

  #hear(): void {
    this.#heardAt = performance.now();
  }
}
