import type { Logger } from 'pino';
import { Client, escapeIdentifier } from 'pg';

/** Called with a notification's payload, or with undefined after a (re)connection: something may have been missed. */
export type OnMessage = (payload: string | undefined) => void;

const firstDelayMs = 100;
const longestDelayMs = 2_000;

/** One connection that LISTENs for everybody, connects again by itself, and tells everybody when it had to. */
export class Listener {
  readonly #connectionString: string;
  readonly #logger: Logger | undefined;
  readonly #channels = new Map<string, Set<OnMessage>>();
  #client: Client | undefined;
  /** Settles when the current connection is up and listens on all channels. */
  #ready: Promise<void> | undefined;
  #closed = false;
  #wake: (() => void) | undefined;

  constructor(connectionString: string, logger?: Logger) {
    this.#connectionString = connectionString;
    this.#logger = logger;
  }

  /** Resolves when the channel is being listened to. Returns what ends it. */
  async add(channel: string, onMessage: OnMessage): Promise<() => void> {
    const callbacks = this.#channels.get(channel) ?? new Set();
    callbacks.add(onMessage);
    this.#channels.set(channel, callbacks);
    this.#ready ??= this.#connect();
    await this.#ready;
    // Doubles what connecting does for the channels known by then. When the connection breaks here, the next one listens on all.
    await this.#client?.query(`listen ${escapeIdentifier(channel)}`).catch(() => undefined);
    return () => callbacks.delete(onMessage);
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#wake?.();
    await this.#client?.end().catch(() => undefined);
  }

  async #connect(): Promise<void> {
    for (let delay = firstDelayMs; !this.#closed; delay = Math.min(delay * 2, longestDelayMs)) {
      const client = new Client({
        connectionString: this.#connectionString,
        application_name: 'helix listener',
        keepAlive: true,
        connectionTimeoutMillis: 5_000,
      });
      // Without a handler the loss of the server would be an uncaught exception.
      client.on('error', (error) =>
        this.#logger?.warn({ err: error }, 'lost the connection that listens for notifications'),
      );
      try {
        await client.connect();
        for (const channel of this.#channels.keys()) await client.query(`listen ${escapeIdentifier(channel)}`);
      } catch (error) {
        this.#logger?.warn({ err: error }, 'cannot listen for notifications, trying again');
        await client.end().catch(() => undefined);
        await this.#sleep(delay);
        continue;
      }
      if (this.#closed) {
        await client.end().catch(() => undefined);
        return;
      }
      this.#client = client;
      client.on('notification', ({ channel, payload }) => this.#deliver(channel, payload ?? ''));
      client.on('end', () => this.#reconnect());
      for (const channel of this.#channels.keys()) this.#deliver(channel, undefined);
      return;
    }
  }

  #reconnect(): void {
    this.#client = undefined;
    if (!this.#closed) this.#ready = this.#connect();
  }

  #deliver(channel: string, payload: string | undefined): void {
    for (const onMessage of this.#channels.get(channel) ?? []) {
      try {
        onMessage(payload);
      } catch (error) {
        this.#logger?.error({ err: error, channel }, 'a listener of notifications threw');
      }
    }
  }

  #sleep(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, ms);
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
}
