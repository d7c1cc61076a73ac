import type { Database } from '../db/database.ts';
import { eventsChannel } from '../db/events.ts';

/** Tells one reader that a job has changed. Nothing that happens between two waits is missed. */
export interface JobWatch {
  /** Resolves when the job has changed since the last call, or may have, or after `timeoutMs`. */
  changed(timeoutMs: number): Promise<void>;
  close(): void;
}

/** Hands the database's notifications of changed jobs to those who read them, over one connection for all. */
export class JobFeed {
  readonly #database: Database;
  readonly #wakers = new Map<string, Set<() => void>>();
  #isListening = false;

  constructor(database: Database) {
    this.#database = database;
  }

  watch(jobId: string): JobWatch {
    this.#listen();
    let isChanged = false;
    let resolve: (() => void) | undefined;
    const wake = () => {
      isChanged = true;
      resolve?.();
    };
    const wakers = this.#wakers.get(jobId) ?? new Set();
    wakers.add(wake);
    this.#wakers.set(jobId, wakers);
    return {
      async changed(timeoutMs) {
        if (!isChanged) {
          let timer: NodeJS.Timeout | undefined;
          await new Promise<void>((done) => {
            resolve = done;
            timer = setTimeout(done, timeoutMs);
          });
          clearTimeout(timer);
          resolve = undefined;
        }
        isChanged = false;
      },
      close: () => {
        wakers.delete(wake);
        if (wakers.size === 0 && this.#wakers.get(jobId) === wakers) this.#wakers.delete(jobId);
        wake();
      },
    };
  }

  /** Not awaited: until the connection stands, readers go by their timeouts. */
  #listen(): void {
    if (this.#isListening) return;
    this.#isListening = true;
    void this.#database.listen(eventsChannel, (jobId) => {
      const woken = jobId === undefined ? [...this.#wakers.values()] : [this.#wakers.get(jobId) ?? []];
      for (const wakers of woken) for (const wake of wakers) wake();
    });
  }
}
