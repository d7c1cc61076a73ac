import { setTimeout as sleep } from 'node:timers/promises';
import { HelixError } from '../contracts/error.ts';
import type { AgentSample, PingRequest } from './agent/protocol.ts';
import { ConnectionLost, type RpcConnection } from './wire/connection.ts';

/** A running agent at the other end of a connection. */
export interface AgentLink {
  connection: RpcConnection;
  /** Cuts the connection; the agent ends, its commands go on. */
  close(): void;
}

/** Whether there is a connection, and if not, why. */
export type LinkState = { state: 'connected' } | { state: 'lost'; reason: string };

/** How a machine said that it is, and how its answer came. */
export interface Beat extends AgentSample {
  /** There and back. */
  latencyMs: number;
  /** The node's clock less this one's, as exact as half the latency. */
  clockOffsetMs: number;
}

export interface LinkTiming {
  /** Between two pings, each of which renews the leases of what is attached. */
  pingMs: number;
  /** Between two pings that ask how the machine is. */
  sampleMs: number;
  /** A peer that has not answered a ping for so long is dead. */
  pingTimeoutMs: number;
  /** How long a call waits for a connection. */
  patienceMs: number;
  /** Longest pause between two attempts to connect. */
  maximumPauseMs: number;
}

export const defaultLinkTiming: LinkTiming = {
  pingMs: 2500,
  sampleMs: 5000,
  pingTimeoutMs: 5000,
  // With what it takes to notice a silent node, a step is on another one within 15 s.
  patienceMs: 6_000,
  maximumPauseMs: 15_000,
};

/** Keeps one agent connected: pings it, notices its death, and comes back with growing pauses. */
export class NodeLink {
  readonly #name: string;
  readonly #dial: (signal: AbortSignal) => Promise<AgentLink>;
  readonly #timing: LinkTiming;
  readonly #listeners = new Set<(state: LinkState) => void>();
  readonly #beatListeners = new Set<(beat: Beat) => void>();
  readonly #stop = new AbortController();
  #link: AgentLink | undefined;
  #waiting = new Set<(link: AgentLink) => void>();
  #lastReason = 'not connected yet';
  #lostAt = performance.now();

  /** Takes the first link as it is; `dial` makes every later one, however long that takes. Its signal says that none is wanted any more. */
  constructor(name: string, first: AgentLink, dial: (signal: AbortSignal) => Promise<AgentLink>, timing: LinkTiming) {
    this.#name = name;
    this.#dial = dial;
    this.#timing = timing;
    this.#adopt(first);
  }

  onStateChange(listener: (state: LinkState) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  onBeat(listener: (beat: Beat) => void): () => void {
    this.#beatListeners.add(listener);
    return () => this.#beatListeners.delete(listener);
  }

  /**
   * Runs `use` on the live connection, and again on the next one whenever a connection is lost under it. `use` must therefore bear
   * repetition. Rejects with `node.lost` when there has been no connection for the time of patience.
   */
  async use<T>(use: (connection: RpcConnection) => Promise<T>, signal?: AbortSignal): Promise<T> {
    for (;;) {
      const { connection } = await this.#connected(signal);
      try {
        return await use(connection);
      } catch (error) {
        if (!(error instanceof ConnectionLost) || signal?.aborted) throw error;
      }
    }
  }

  close(): void {
    this.#stop.abort(this.#lost('it was closed'));
    this.#link?.close();
    this.#link?.connection.close();
  }

  #connected(signal?: AbortSignal): Promise<AgentLink> {
    const { promise, resolve, reject } = Promise.withResolvers<AgentLink>();
    if (this.#stop.signal.aborted) reject(this.#stop.signal.reason as Error);
    else if (this.#link) resolve(this.#link);
    else {
      const patience = Math.max(0, this.#timing.patienceMs - (performance.now() - this.#lostAt));
      const timer = setTimeout(() => reject(this.#lost(this.#lastReason)), patience);
      const give = (): void =>
        reject((this.#stop.signal.aborted ? this.#stop : { signal: signal! }).signal.reason as Error);
      signal?.addEventListener('abort', give, { once: true });
      this.#stop.signal.addEventListener('abort', give, { once: true });
      this.#waiting.add(resolve);
      const clean = (): void => {
        clearTimeout(timer);
        signal?.removeEventListener('abort', give);
        this.#stop.signal.removeEventListener('abort', give);
        this.#waiting.delete(resolve);
      };
      promise.then(clean, clean);
    }
    return promise;
  }

  #lost(reason: string): HelixError {
    return new HelixError(
      'node.lost',
      `the connection to ${this.#name} is lost: ${reason}; running commands go on there for a while`,
      {
        details: { node: this.#name },
      },
    );
  }

  #adopt(link: AgentLink): void {
    this.#link = link;
    link.connection.onClose((error) => this.#dropped(link, error));
    void this.#keepAlive(link);
    for (const resolve of this.#waiting) resolve(link);
    this.#waiting.clear();
  }

  #dropped(link: AgentLink, error: Error): void {
    if (this.#link !== link) return;
    this.#link = undefined;
    link.close();
    if (this.#stop.signal.aborted) return;
    this.#lostAt = performance.now();
    this.#lastReason = error.message;
    this.#tell({ state: 'lost', reason: error.message });
    void this.#comeBack();
  }

  async #comeBack(): Promise<void> {
    for (let pause = 50; ; pause = Math.min(pause * 2, this.#timing.maximumPauseMs)) {
      // Spread, so that the nodes behind one machine do not all come at the same moment.
      await sleep(pause * (0.75 + Math.random() / 2), undefined, { signal: this.#stop.signal }).catch(() => {});
      if (this.#stop.signal.aborted) return;
      try {
        const link = await this.#dial(this.#stop.signal);
        if (this.#stop.signal.aborted) {
          link.close();
          return;
        }
        this.#adopt(link);
        this.#tell({ state: 'connected' });
        return;
      } catch (error) {
        this.#lastReason = (error as Error).message;
      }
    }
  }

  async #keepAlive({ connection }: AgentLink): Promise<void> {
    let open = true;
    connection.onClose(() => {
      open = false;
    });
    let sampled = -Infinity;
    while (open) {
      const timer = setTimeout(() => {
        connection.close(new ConnectionLost(`no answer for ${this.#timing.pingTimeoutMs / 1000} s`));
      }, this.#timing.pingTimeoutMs);
      const now = performance.now();
      const isDue = now - sampled >= this.#timing.sampleMs;
      if (isDue) sampled = now;
      await (isDue ? this.#beat(connection) : connection.call('ping')).catch(() => {});
      clearTimeout(timer);
      await sleep(this.#timing.pingMs, undefined, { ref: false });
    }
  }

  async #beat(connection: RpcConnection): Promise<void> {
    const beat = await askForBeat(connection);
    for (const listener of this.#beatListeners) listener(beat);
  }

  #tell(state: LinkState): void {
    for (const listener of this.#listeners) listener(state);
  }
}

/** Asks an agent how its machine is. */
export async function askForBeat(connection: RpcConnection): Promise<Beat> {
  const sent = performance.now();
  const sentAt = Date.now();
  const sample = await connection.call<AgentSample>('ping', { sample: true } satisfies PingRequest);
  const latencyMs = performance.now() - sent;
  return { ...sample, latencyMs, clockOffsetMs: sample.at - (sentAt + latencyMs / 2) };
}
