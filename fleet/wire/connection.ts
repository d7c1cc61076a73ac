import type { Readable, Writable } from 'node:stream';
import { errorCodes, HelixError, type ErrorCode } from '../../contracts/error.ts';
import { RpcChannel } from './channel.ts';
import { FrameReader, frameKinds, writeFrame, type Frame } from './frames.ts';

/** The connection ended before the answer came: whether the call took effect is unknown. */
export class ConnectionLost extends Error {
  override readonly name = 'ConnectionLost';
}

/** Answers a call: gets its parameters, resolves with its result. Rejections travel to the caller. */
export type RpcHandler = (parameters: never, channel: RpcChannel) => Promise<unknown>;

export interface RpcCall<Result> {
  channel: RpcChannel;
  result: Promise<Result>;
  /** Tells the other side that the answer is no longer wanted. */
  abort(): void;
}

interface Pending {
  channel: RpcChannel;
  resolve(value: unknown): void;
  reject(error: Error): void;
}

/** Calls multiplexed over a pair of byte streams. Both sides may call; the controller does, the agent answers. */
export class RpcConnection {
  readonly #output: Writable;
  readonly #handlers: Record<string, RpcHandler>;
  readonly #reader = new FrameReader();
  readonly #calls = new Map<number, Pending>();
  readonly #serving = new Map<number, RpcChannel>();
  readonly #closeListeners: ((error: Error) => void)[] = [];
  #lastChannel = 0;
  #closed: Error | undefined;
  #draining: (() => void)[] = [];
  #bytesSent = 0;

  constructor(input: Readable, output: Writable, handlers: Record<string, RpcHandler> = {}) {
    this.#output = output;
    this.#handlers = handlers;
    input.on('data', (chunk: Buffer) => this.#receive(chunk));
    // A stream that was paused by hand does not flow again by itself.
    input.resume();
    output.on('drain', () => this.#wakeSenders());
    for (const event of ['end', 'close'] as const)
      input.on(event, () => this.close(new ConnectionLost('the connection ended')));
    for (const stream of [input, output]) {
      stream.on('error', (error: Error) => this.close(new ConnectionLost(`the connection broke: ${error.message}`)));
    }
  }

  /** Bytes written so far, for measuring what a transfer costs. */
  get bytesSent(): number {
    return this.#bytesSent;
  }

  onClose(listener: (error: Error) => void): void {
    if (this.#closed) listener(this.#closed);
    else this.#closeListeners.push(listener);
  }

  /** Fails everything that is under way. */
  close(error: Error = new ConnectionLost('the connection was closed')): void {
    if (this.#closed) return;
    this.#closed = error;
    for (const channel of this.#serving.values()) channel.fail(error);
    for (const { channel, reject } of this.#calls.values()) {
      channel.fail(error);
      reject(error);
    }
    this.#calls.clear();
    this.#serving.clear();
    this.#wakeSenders();
    for (const listener of this.#closeListeners) listener(error);
  }

  open<Result>(method: string, parameters: unknown): RpcCall<Result> {
    const id = (this.#lastChannel += 1);
    const channel = this.#channel(id);
    const result = new Promise<Result>((resolve, reject) => {
      if (this.#closed) {
        channel.fail(this.#closed);
        reject(this.#closed);
        return;
      }
      this.#calls.set(id, { channel, resolve, reject });
      this.#write(frameKinds.open, id, { method, parameters });
    });
    result.catch(() => {});
    return { channel, result, abort: () => this.#closed ?? this.#write(frameKinds.abort, id) };
  }

  /** A call that is only parameters and result. */
  call<Result>(method: string, parameters: unknown = {}): Promise<Result> {
    return this.open<Result>(method, parameters).result;
  }

  #receive(chunk: Buffer): void {
    try {
      for (const frame of this.#reader.push(chunk)) this.#dispatch(frame);
    } catch (error) {
      this.close(error as Error);
    }
  }

  #dispatch({ kind, channel: id, body }: Frame): void {
    if (kind === frameKinds.open) {
      this.#serve(id, parse(body) as { method: string; parameters: never });
      return;
    }
    const pending = this.#calls.get(id);
    const channel = pending?.channel ?? this.#serving.get(id);
    if (!channel) return;
    if (kind === frameKinds.event) channel.receiveEvent(parse(body));
    else if (kind === frameKinds.data) channel.receiveData(body);
    else if (kind === frameKinds.end) channel.receiveEnd();
    else if (kind === frameKinds.credit) channel.receiveCredit(body.readUInt32BE(0));
    else if (kind === frameKinds.abort) channel.fail(new Error('the caller gave up'));
    else if (pending) this.#settle(id, pending, kind, body);
  }

  #settle(id: number, pending: Pending, kind: number, body: Buffer): void {
    // Credits for data that is still to be read may be sent after this, the other side ignores them.
    this.#calls.delete(id);
    pending.channel.receiveEnd();
    if (kind === frameKinds.result) pending.resolve(parse(body));
    else {
      const error = parseFailure(parse(body) as Failure);
      pending.channel.fail(error);
      pending.reject(error);
    }
  }

  #serve(id: number, { method, parameters }: { method: string; parameters: never }): void {
    const channel = this.#channel(id);
    this.#serving.set(id, channel);
    const handler = this.#handlers[method];
    const answer = handler
      ? handler(parameters, channel)
      : Promise.reject(new HelixError('internal', `the other side asked for "${method}", which does not exist here`));
    answer.then(
      (result) => this.#answer(id, frameKinds.result, result ?? null),
      (error: unknown) => this.#answer(id, frameKinds.failure, describeFailure(error)),
    );
  }

  #answer(id: number, kind: 2 | 3, value: unknown): void {
    this.#serving.delete(id);
    this.#write(kind, id, value);
  }

  #channel(id: number): RpcChannel {
    return new RpcChannel({
      event: (value) => this.#write(frameKinds.event, id, value),
      end: () => this.#write(frameKinds.end, id),
      credit: (bytes) => {
        const body = Buffer.allocUnsafe(4);
        body.writeUInt32BE(bytes, 0);
        this.#writeBytes(frameKinds.credit, id, body);
      },
      data: async (chunk) => {
        if (!this.#writeBytes(frameKinds.data, id, chunk))
          await new Promise<void>((resolve) => this.#draining.push(resolve));
      },
    });
  }

  #wakeSenders(): void {
    const draining = this.#draining;
    this.#draining = [];
    for (const resolve of draining) resolve();
  }

  #write(kind: Frame['kind'], id: number, value?: unknown): void {
    this.#writeBytes(kind, id, value === undefined ? undefined : Buffer.from(JSON.stringify(value)));
  }

  #writeBytes(kind: Frame['kind'], id: number, body?: Buffer): boolean {
    if (this.#closed) return true;
    this.#bytesSent += 9 + (body?.length ?? 0);
    return writeFrame(this.#output, kind, id, body);
  }
}

interface Failure {
  code?: string;
  message: string;
  details?: Record<string, unknown>;
  stack?: string;
}

function parse(body: Buffer): unknown {
  return JSON.parse(body.toString('utf8'));
}

function describeFailure(error: unknown): Failure {
  if (error instanceof HelixError) return { code: error.code, message: error.message, details: error.details };
  const { message, stack } = error instanceof Error ? error : new Error(String(error));
  return { message, ...(stack ? { stack } : {}) };
}

function parseFailure({ code, message, details, stack }: Failure): Error {
  if (code && Object.hasOwn(errorCodes, code))
    return new HelixError(code as ErrorCode, message, { details: details ?? {} });
  const error = new HelixError('internal', `the agent on the node failed: ${message}`);
  if (stack) error.stack = `${error.stack}\non the node: ${stack}`;
  return error;
}
