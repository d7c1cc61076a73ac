import { Readable } from 'node:stream';

/** Bytes a sender may have under way on one channel before the receiver has consumed any. */
export const channelWindow = 2 * 1024 * 1024;
const chunkBytes = 64 * 1024;

/** What a channel asks of the connection it lives on. Each write resolves when the stream can take more. */
export interface ChannelWire {
  event(value: unknown): void;
  data(chunk: Buffer): Promise<void>;
  end(): void;
  credit(bytes: number): void;
}

/**
 * One call's two-way traffic: events and a byte stream in each direction. Each direction has a window of its own, so that a slow
 * reader of one call holds up neither the other calls nor the memory of the sender.
 */
export class RpcChannel {
  /** What the other side sends. Being destroyed with an error means that the connection or the call ended. */
  readonly incoming: Readable;
  readonly #wire: ChannelWire;
  #listener: ((value: never) => void) | undefined;
  readonly #abort = new AbortController();
  #queue: Buffer[] = [];
  #pending: unknown[] = [];
  #wanted = false;
  #ended = false;
  #window = channelWindow;
  #waiting: (() => void)[] = [];

  constructor(wire: ChannelWire) {
    this.#wire = wire;
    this.incoming = new Readable({
      highWaterMark: chunkBytes,
      read: () => {
        this.#wanted = true;
        this.#feed();
      },
    });
    // The owner of the call learns of the failure from its result; nobody may be reading the stream.
    this.incoming.on('error', () => {});
  }

  /** Aborted when the other side gives up the call or the connection ends. */
  get signal(): AbortSignal {
    return this.#abort.signal;
  }

  event(value: unknown): void {
    this.#wire.event(value);
  }

  /** Listens for the other side's events, including those that came before anybody listened. */
  onEvent(listener: (value: never) => void): void {
    this.#listener = listener;
    const pending = this.#pending;
    this.#pending = [];
    for (const value of pending) listener(value as never);
  }

  /** Sends bytes, waiting until the receiver has room. Throws when the call has ended. */
  async send(bytes: Uint8Array): Promise<void> {
    const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    for (let start = 0; start < buffer.length; start += chunkBytes) {
      const chunk = buffer.subarray(start, start + chunkBytes);
      while (this.#window <= 0 && !this.#abort.signal.aborted)
        await new Promise<void>((resolve) => this.#waiting.push(resolve));
      this.#abort.signal.throwIfAborted();
      this.#window -= chunk.length;
      await this.#wire.data(chunk);
    }
  }

  end(): void {
    this.#wire.end();
  }

  /** For the connection: a frame for this channel has come. */
  receiveEvent(value: unknown): void {
    if (this.#listener) this.#listener(value as never);
    else this.#pending.push(value);
  }

  receiveData(chunk: Buffer): void {
    this.#queue.push(chunk);
    this.#feed();
  }

  receiveEnd(): void {
    this.#ended = true;
    this.#feed();
  }

  receiveCredit(bytes: number): void {
    this.#window += bytes;
    this.#wake();
  }

  fail(error: Error): void {
    this.#abort.abort(error);
    this.#wake();
    this.incoming.destroy(error);
  }

  #wake(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const resolve of waiting) resolve();
  }

  #feed(): void {
    while (this.#wanted && this.#queue.length > 0) {
      const chunk = this.#queue.shift()!;
      this.#wanted = this.incoming.push(chunk);
      this.#wire.credit(chunk.length);
    }
    if (this.#ended && this.#queue.length === 0) {
      this.#ended = false;
      this.incoming.push(null);
    }
  }
}
