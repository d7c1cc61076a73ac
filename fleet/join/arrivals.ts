import { HelixError } from '../../contracts/error.ts';
import type { JoinSession } from './session.ts';

/** The machines that are connected, by the registrations of their nodes, and those that wait for one to come. */
export class Arrivals {
  readonly #sessions = new Map<string, { session: JoinSession; isTaken: boolean }>();
  readonly #waiting = new Map<string, Set<() => void>>();

  /** A machine has come. An earlier connection of the same node is over: its machine has given it up, or is not the only one that shows its credential. */
  offer(registration: string, session: JoinSession, isTaken = false): void {
    const earlier = this.#sessions.get(registration)?.session;
    this.#sessions.set(registration, { session, isTaken });
    session.connection.onClose(() => {
      if (this.#sessions.get(registration)?.session === session) this.#sessions.delete(registration);
    });
    void earlier?.refuse(
      new HelixError('node.lost', 'another process has connected as this node: only one can be it, and this one ends'),
    );
    for (const tell of this.#waiting.get(registration) ?? []) tell();
  }

  isThere(registration: string): boolean {
    return this.#sessions.has(registration);
  }

  /** The connected machines of nodes, whether anybody has taken them or not. */
  all(): [registration: string, session: JoinSession][] {
    return [...this.#sessions].map(([registration, { session }]) => [registration, session]);
  }

  /** Waits until there is a connection of the node, and leaves it to be taken. Rejects with the signal's reason. */
  async untilThere(registration: string, signal: AbortSignal): Promise<void> {
    while (!this.isThere(registration)) await this.#next(registration, signal);
  }

  /** Waits for a connection of the node and takes it: each is given once. Rejects with the signal's reason. */
  async take(registration: string, signal: AbortSignal): Promise<JoinSession> {
    for (;;) {
      signal.throwIfAborted();
      const there = this.#sessions.get(registration);
      if (there && !there.isTaken) {
        there.isTaken = true;
        return there.session;
      }
      await this.#next(registration, signal);
    }
  }

  #next(registration: string, signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      signal.throwIfAborted();
      const waiting = this.#waiting.get(registration) ?? new Set();
      this.#waiting.set(registration, waiting);
      const stop = (): void => {
        waiting.delete(tell);
        if (waiting.size === 0) this.#waiting.delete(registration);
        signal.removeEventListener('abort', give);
      };
      const tell = (): void => {
        stop();
        resolve();
      };
      const give = (): void => {
        stop();
        reject(signal.reason as Error);
      };
      waiting.add(tell);
      signal.addEventListener('abort', give, { once: true });
    });
  }
}
