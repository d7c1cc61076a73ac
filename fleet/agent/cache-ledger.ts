import { join } from 'node:path';
import { readIfThere, writeAtomically, type Layout } from './layout.ts';

/** What is known of a thing in the cache. */
export interface LedgerEntry {
  /** 0 until it was measured. */
  bytes: number;
  /** Milliseconds since 1970; 0 for never. */
  measuredAt: number;
  usedAt: number;
  /** It was used since it was measured, and may have grown. */
  isChanged: boolean;
  /** What the controller calls it. */
  label?: string;
}

/** In the node's folder. */
export const ledgerName = 'cache.json';
const saveEveryMs = 60_000;

/**
 * How large the things in a node's cache are and when they were used last. It is kept in a file, so that an agent need not measure what an earlier
 * one did; what is lost of it is found out again.
 */
export class CacheLedger {
  readonly #file: string;
  readonly #entries = new Map<string, LedgerEntry>();
  #bytes = 0;
  #isSaved = true;
  #savedAt = -Infinity;

  constructor(layout: Layout) {
    this.#file = join(layout.root, ledgerName);
    for (const [name, entry] of Object.entries(this.#read())) this.#put(name, entry);
  }

  /** Of everything. */
  get bytes(): number {
    return this.#bytes;
  }

  get(name: string): LedgerEntry | undefined {
    return this.#entries.get(name);
  }

  /** Makes the entries those of the things that are there: by name, and when each was changed last. */
  follow(present: ReadonlyMap<string, number>): void {
    for (const name of this.#entries.keys()) if (!present.has(name)) this.drop(name);
    for (const [name, usedAt] of present)
      if (!this.#entries.has(name)) this.#put(name, { bytes: 0, measuredAt: 0, usedAt, isChanged: true });
  }

  use(name: string, label?: string): void {
    const entry = this.#entries.get(name) ?? { bytes: 0, measuredAt: 0, usedAt: 0, isChanged: true };
    this.#put(name, { ...entry, usedAt: Date.now(), isChanged: true, ...(label === undefined ? {} : { label }) });
  }

  measured(name: string, bytes: number): void {
    const entry = this.#entries.get(name);
    if (!entry) return;
    this.#put(name, { ...entry, bytes, measuredAt: Date.now(), isChanged: false });
    this.#savedAt = -Infinity;
  }

  /** With all that is part of it. */
  drop(name: string): void {
    for (const [one, { bytes }] of this.#entries) {
      if (one !== name && !one.startsWith(`${name}/`)) continue;
      this.#bytes -= bytes;
      this.#entries.delete(one);
      this.#isSaved = false;
    }
  }

  some(test: (name: string) => boolean): boolean {
    for (const name of this.#entries.keys()) if (test(name)) return true;
    return false;
  }

  /** Once a minute at most when things were only used, since an agent may end without notice; and when it is the last time. */
  save(isLast = false): void {
    if (this.#isSaved || (!isLast && performance.now() - this.#savedAt < saveEveryMs)) return;
    const theirs = this.#read();
    for (const [name, entry] of this.#entries) {
      const usedAt = Math.max(entry.usedAt, theirs[name]?.usedAt ?? 0);
      this.#entries.set(name, { ...entry, usedAt });
    }
    writeAtomically(this.#file, JSON.stringify(Object.fromEntries(this.#entries)));
    this.#isSaved = true;
    this.#savedAt = performance.now();
  }

  #put(name: string, entry: LedgerEntry): void {
    this.#bytes += entry.bytes - (this.#entries.get(name)?.bytes ?? 0);
    this.#entries.set(name, entry);
    this.#isSaved = false;
  }

  /** Another agent of the same folder may have written it. */
  #read(): Record<string, LedgerEntry> {
    try {
      return JSON.parse(readIfThere(this.#file) ?? '{}') as Record<string, LedgerEntry>;
    } catch {
      return {};
    }
  }
}
