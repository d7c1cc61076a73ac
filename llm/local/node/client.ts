import { randomUUID } from 'node:crypto';
import { HelixError } from '../../../contracts/error.ts';
import type { LlmRequest, LlmStreamEvent } from '../../../contracts/llm.ts';
import type { LocalModel } from '../../../contracts/local-model.ts';
import type { OnProgress, Progress } from '../progress.ts';
import type { Relay } from './relay.ts';
import type { HostCall, HostConnection, HostSettings, PullSource } from './wire.ts';

/** The host of a node's models, as the controller sees it. When its connection ends, all that is under way fails with `llm.unavailable`. */
export class NodeModels {
  readonly node: string;
  readonly #connection: HostConnection;
  readonly #relay: Relay;
  #beat: NodeJS.Timeout | undefined;
  #lost: Error | undefined;
  /** Settles when the connection has ended. */
  readonly ended: Promise<void>;

  private constructor(node: string, connection: HostConnection, relay: Relay) {
    this.node = node;
    this.#connection = connection;
    this.#relay = relay;
    this.ended = new Promise((resolve) => {
      connection.onClose((error) => {
        clearInterval(this.#beat);
        this.#lost = error;
        resolve();
      });
    });
  }

  static async open(
    node: string,
    connection: HostConnection,
    relay: Relay,
    settings: HostSettings,
  ): Promise<NodeModels> {
    const opened = new NodeModels(node, connection, relay);
    await opened.#settled(connection.call('configure', settings), 'starting');
    opened.#beat = setInterval(
      () => void connection.call('beat').catch(() => undefined),
      Math.min(5_000, settings.leaseMs / 4),
    );
    opened.#beat.unref();
    return opened;
  }

  list(): Promise<LocalModel[]> {
    return this.#settled(this.#connection.call<LocalModel[]>('list'), 'listing its models');
  }

  /** Throws as `Puller` does; the node fetches it from the hub, or through the controller. What has come stays for the next time. */
  async pull(source: PullSource, onProgress: OnProgress, signal: AbortSignal): Promise<LocalModel> {
    signal.throwIfAborted();
    const pull = randomUUID();
    const end = this.#relay.serve(pull, source, onProgress);
    try {
      const call = this.#connection.open<LocalModel>('pull', { pull, source });
      call.channel.onEvent((progress: Progress) => onProgress(progress));
      return await this.#settled(untilAborted(call, signal), 'pulling a model');
    } finally {
      end();
    }
  }

  /** Throws `llm.model-not-found`. */
  async remove(name: string): Promise<void> {
    await this.#settled(this.#connection.call('remove', { name }), 'removing a model');
  }

  /** What the model says, as `LlmProvider.generateStream`. */
  async *generate(request: LlmRequest, signal: AbortSignal): AsyncGenerator<LlmStreamEvent, void> {
    signal.throwIfAborted();
    const call = this.#connection.open<null>('generate', { request });
    const queue: LlmStreamEvent[] = [];
    let wake = Promise.withResolvers<void>();
    let isOver = false;
    call.channel.onEvent((event: LlmStreamEvent) => {
      queue.push(event);
      wake.resolve();
    });
    const result = untilAborted(call, signal).finally(() => {
      isOver = true;
      wake.resolve();
    });
    result.catch(() => undefined);
    try {
      for (;;) {
        await wake.promise;
        wake = Promise.withResolvers<void>();
        for (let event = queue.shift(); event; event = queue.shift()) yield event;
        if (!isOver) continue;
        await this.#settled(result, `answering with llamacpp/${request.model}`);
        return;
      }
    } finally {
      if (!isOver) call.abort();
    }
  }

  async #settled<T>(promise: Promise<T>, doing: string): Promise<T> {
    try {
      return await promise;
    } catch (error) {
      if (!this.#lost || error !== this.#lost) throw error;
      throw new HelixError(
        'llm.unavailable',
        `${this.node} was lost while it was ${doing} (${this.#lost.message}): try again when it is back`,
        { cause: error, details: { node: this.node } },
      );
    }
  }
}

/** The result of a call, or the reason of the signal, which ends the call. */
async function untilAborted<T>({ result, abort }: HostCall<T>, signal: AbortSignal): Promise<T> {
  const { promise, reject } = Promise.withResolvers<never>();
  const end = (): void => {
    abort();
    reject(signal.reason as Error);
  };
  signal.addEventListener('abort', end, { once: true });
  try {
    return await Promise.race([result, promise]);
  } finally {
    signal.removeEventListener('abort', end);
  }
}
