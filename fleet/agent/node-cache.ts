import { utimesSync } from 'node:fs';
import { join } from 'node:path';
import { type CacheItem, listItems } from './cache-items.ts';
import { CacheLedger } from './cache-ledger.ts';
import { cacheLimit, type DiskSpace, isNearlyFull, isOverLimit, ownLimit, readDiskSpace } from './cache-policy.ts';
import { diskUse } from './disk-use.ts';
import { hasCode, type Layout } from './layout.ts';

/** Things by what the controller calls them. */
export interface EvictedThings {
  projects: string[];
  layers: string[];
}

const hourMs = 60 * 60_000;
const dayMs = 24 * hourMs;
/** What no step has used for so long goes in any case. */
const unusedMs = 14 * dayMs;
/** What was used within this time stays when it is only the reserve that is short: jobs come back to it with every step. */
const recentMs = 10 * 60_000;
/** How often a thing that is used is measured again; the second when the disk fills quickly. */
const measureMs = 10 * 60_000;
const measureSoonMs = 30_000;
const quickFillBytes = 256 * 2 ** 20;
/** After a look, and after one that could not do enough, if nothing comes free before. */
const pauseMs = 1000;
const longPauseMs = 30_000;
/** An eviction is told for as long as this, which is some looks of the controller. */
const tellMs = 60_000;

/**
 * What the node keeps to save work, within its limit: it measures things when they were made or used, and evicts the ones used longest ago. All of
 * it happens in the background, on the occasion of `tick`; without one an idle node does nothing here.
 */
export class NodeCache {
  readonly #layout: Layout;
  readonly #tidy: () => Promise<void>;
  readonly #ledger: CacheLedger;
  readonly #held = new Map<string, number>();
  readonly #evicted = new Map<string, { thing: Partial<EvictedThings>; at: number }>();
  #configured: number | undefined;
  #disk: DiskSpace | undefined;
  #freeAtMeasuring = Infinity;
  #tidiedAt = -Infinity;
  #lookedAt = -Infinity;
  #pause = pauseMs;
  #isFreed = false;
  /** The last look was at a disk that was nearly full. */
  #wasUrgent = false;
  #looking: Promise<void> | undefined;
  #isClosed = false;

  /** `tidy` is done at the start and once an hour. */
  constructor(layout: Layout, tidy: () => Promise<void>) {
    this.#layout = layout;
    this.#tidy = tidy;
    this.#ledger = new CacheLedger(layout);
  }

  /** Bytes that a user allows. */
  configure(limitBytes: number | undefined): void {
    this.#configured = limitBytes;
  }

  /** Keeps a thing from being evicted until the returned function is called. `label` is what the controller calls it. */
  hold(name: string, label?: string): () => void {
    this.#held.set(name, (this.#held.get(name) ?? 0) + 1);
    this.#ledger.use(name, label);
    this.#evicted.delete(name);
    return () => {
      const left = this.#held.get(name)! - 1;
      if (left > 0) this.#held.set(name, left);
      else this.#held.delete(name);
      this.#ledger.use(name, label);
      this.freed();
    };
  }

  /** Something that was in use is so no longer. */
  freed(): void {
    this.#isFreed = true;
    this.#pause = pauseMs;
  }

  /** An occasion to look after the cache; costs microseconds when there is nothing to do. */
  tick(disk: DiskSpace): void {
    this.#disk = disk;
    const isUrgent = isNearlyFull(disk);
    const isSoon = performance.now() - this.#lookedAt < (isUrgent && !this.#wasUrgent ? 0 : this.#pause);
    if (this.#isClosed || this.#looking || isSoon || !this.#isDue(disk)) return;
    this.#isFreed = false;
    this.#wasUrgent = isUrgent;
    this.#looking = this.#look()
      // A cache that cannot be looked after must not end the agent, and is tried again.
      .catch(() => false)
      .then((isEnough) => {
        this.#lookedAt = performance.now();
        this.#pause = isEnough || this.#isFreed ? pauseMs : longPauseMs;
        this.#looking = undefined;
      });
  }

  summary(disk: DiskSpace): { bytes: number; limitBytes: number } {
    const { bytes } = this.#ledger;
    return { bytes, limitBytes: cacheLimit(this.#configured, bytes, disk) };
  }

  /** What was evicted within the last minute and is not back; undefined for nothing. */
  evicted(): EvictedThings | undefined {
    for (const [name, { at }] of this.#evicted) if (performance.now() - at > tellMs) this.#evicted.delete(name);
    if (this.#evicted.size === 0) return undefined;
    const things = [...this.#evicted.values()].map(({ thing }) => thing);
    return {
      projects: things.flatMap(({ projects = [] }) => projects),
      layers: things.flatMap(({ layers = [] }) => layers),
    };
  }

  /** Writes down what is known. With `forget`, not even that: the node is being removed. */
  close(forget = false): void {
    this.#isClosed = true;
    if (forget) return;
    try {
      this.#ledger.save(true);
    } catch {
      // Without space on the disk; the next agent finds out again.
    }
  }

  #isDue(disk: DiskSpace): boolean {
    return (
      performance.now() - this.#tidiedAt > hourMs ||
      this.#isOver(disk) ||
      this.#ledger.some((name) => this.#isToBeMeasured(name))
    );
  }

  #isOver(disk: DiskSpace): boolean {
    return isOverLimit(this.#configured, this.#ledger.bytes, disk);
  }

  /** Returns whether the cache is within its limit then. */
  async #look(): Promise<boolean> {
    let items = this.#list();
    if (performance.now() - this.#tidiedAt > hourMs) {
      this.#tidiedAt = performance.now();
      await this.#tidy();
      for (const item of items) await this.#keepOrDrop(item);
      items = this.#list();
    }
    await this.#measure(items);
    const isEnough = await this.#evictUntilEnough();
    if (!this.#isClosed) this.#ledger.save();
    return isEnough;
  }

  #list(): CacheItem[] {
    const found = listItems(this.#layout);
    this.#ledger.follow(new Map([...found].map(([{ name }, changedAt]) => [name, changedAt])));
    return [...found.keys()];
  }

  /** A program that runs for a long time stays young for other agents of this folder, too. */
  async #keepOrDrop(item: CacheItem): Promise<void> {
    if (this.#held.has(item.name)) {
      if (item.name.startsWith('bin/')) touch(join(this.#layout.root, item.name));
    } else if ((this.#ledger.get(item.name)?.usedAt ?? Infinity) < Date.now() - unusedMs) await this.#evict(item);
  }

  #isToBeMeasured(name: string): boolean {
    const entry = this.#ledger.get(name);
    if (!entry?.isChanged) return false;
    // What is being made is measured when it is made.
    if (entry.measuredAt === 0) return !this.#held.has(name);
    const isFilling = this.#freeAtMeasuring - (this.#disk?.free ?? Infinity) > quickFillBytes;
    return Date.now() - entry.measuredAt > (isFilling ? measureSoonMs : measureMs);
  }

  async #measure(items: CacheItem[]): Promise<void> {
    const due = items.filter(({ name }) => this.#isToBeMeasured(name));
    if (due.length === 0) return;
    for (const { name, paths } of due) {
      const bytes = await diskUse(paths, () => this.#disk !== undefined && isNearlyFull(this.#disk));
      if (bytes === undefined) return;
      this.#ledger.measured(name, bytes);
    }
    this.#freeAtMeasuring = this.#disk?.free ?? Infinity;
  }

  /** Returns whether that could be done. */
  async #evictUntilEnough(): Promise<boolean> {
    for (;;) {
      const disk = await readDiskSpace(this.#layout.root);
      if (!this.#isOver(disk)) return true;
      if (this.#isClosed || !(await this.#evictOldest(disk))) return false;
    }
  }

  async #evictOldest(disk: DiskSpace): Promise<boolean> {
    const isUrgent = this.#ledger.bytes > ownLimit(this.#configured, disk) || isNearlyFull(disk);
    const newest = isUrgent ? Infinity : Date.now() - recentMs;
    const usedAt = ({ name }: CacheItem): number => this.#ledger.get(name)!.usedAt;
    // What depends on another thing stands before it, and the sorting is stable.
    const oldestFirst = this.#list().toSorted((a, b) => usedAt(a) - usedAt(b));
    for (const item of oldestFirst) {
      if (usedAt(item) > newest) return false;
      if (await this.#evict(item)) return true;
    }
    return false;
  }

  async #evict(item: CacheItem): Promise<boolean> {
    const { name } = item;
    if (this.#held.has(name) || !item.isFree()) return false;
    const label = this.#ledger.get(name)?.label;
    const gone = item.remove();
    if (!gone) return false;
    this.#ledger.drop(name);
    const [kind, id, part] = name.split('/');
    if (kind === 'layers' && label !== undefined) this.#tell(name, { layers: [label] });
    if (kind === 'projects' && part === undefined) this.#tell(name, { projects: [id!] });
    await gone;
    return true;
  }

  #tell(name: string, thing: Partial<EvictedThings>): void {
    this.#evicted.set(name, { thing, at: performance.now() });
  }
}

function touch(path: string): void {
  const now = new Date();
  try {
    utimesSync(path, now, now);
  } catch (error) {
    if (!hasCode(error, 'ENOENT')) throw error;
  }
}
