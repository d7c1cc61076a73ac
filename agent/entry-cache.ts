import type { ConversationEntry } from '../contracts/agent.ts';

const defaultCacheBytes = 64 << 20;

/** The entries used last, as many as fit. An entry counts with the length of its JSON text. */
export class EntryCache {
  readonly #entries = new Map<string, { entry: ConversationEntry; bytes: number }>();
  readonly #limit: number;
  #bytes = 0;

  constructor(limit = defaultCacheBytes) {
    this.#limit = limit;
  }

  get(hash: string): ConversationEntry | undefined {
    const found = this.#entries.get(hash);
    if (!found) return undefined;
    // A map keeps the order of insertion: what was used last stands last.
    this.#entries.delete(hash);
    this.#entries.set(hash, found);
    return found.entry;
  }

  add(hash: string, entry: ConversationEntry, bytes: number): void {
    if (bytes > this.#limit / 4 || this.#entries.has(hash)) return;
    this.#entries.set(hash, { entry, bytes });
    this.#bytes += bytes;
    for (const [oldest, { bytes: freed }] of this.#entries) {
      if (this.#bytes <= this.#limit) break;
      this.#entries.delete(oldest);
      this.#bytes -= freed;
    }
  }

  get bytes(): number {
    return this.#bytes;
  }
}
