import { existsSync, lstatSync, statSync } from 'node:fs';
import { basename, join } from 'node:path';
import type { Layout } from './layout.ts';
import { readOwner } from './owner.ts';
import { isCacheStore } from './project-stores.ts';
import { namesIn, removedPrefix, setAside } from './set-aside.ts';
import { discardFreeSlot, slotNumbers } from './slots.ts';

/** A thing that a node keeps to save work, and can get again. */
export interface CacheItem {
  /** Its path below the node's root. */
  name: string;
  /** Absolute paths of what it takes up. */
  paths: string[];
  /** Whether it may go now, whoever works on this node. */
  isFree(): boolean;
  /** Takes it out of the way at once; settled when it is gone. Undefined when it has come into use. */
  remove(): Promise<unknown> | undefined;
}

export const layerItem = (key: string): string => join('layers', key);
export const projectItem = (project: string): string => join('projects', project);
export const slotItem = (project: string, number: number): string => join('projects', project, 'slots', String(number));
export const programItem = (file: string): string => join('bin', basename(file));

const dayMs = 24 * 60 * 60 * 1000;

/** Everything that may go, in an order in which what depends on another thing stands before it; with when it was changed last. */
export function listItems(layout: Layout): Map<CacheItem, number> {
  const found = new Map<CacheItem, number>();
  const add = (item: CacheItem): void => {
    const stat = lstatSync(item.paths[0]!, { throwIfNoEntry: false });
    if (stat) found.set(item, stat.mtimeMs);
  };
  for (const key of namesIn(layout.layers).filter((name) => /^[0-9a-f]{64}$/.test(name))) {
    const path = join(layout.layers, key);
    // Whoever copies from it meanwhile finds it gone, and looks again.
    add({ name: layerItem(key), paths: [path], isFree: () => true, remove: () => setAside(path) });
  }
  const projects = namesIn(join(layout.root, 'projects')).filter((name) => !name.startsWith('.'));
  for (const project of projects) {
    const folder = layout.slots(project);
    for (const number of slotNumbers(folder)) {
      add({
        name: slotItem(project, number),
        paths: [join(folder, String(number)), join(folder, `${number}.parked`)],
        isFree: () => true,
        remove: () => discardFreeSlot(layout, project, number),
      });
    }
    if (isMere(layout, project)) add(projectOf(layout, project));
  }
  const bin = join(layout.root, 'bin');
  for (const name of namesIn(bin).filter((one) => /^[a-z-]+-[0-9a-f]{16}(\.mjs)?(\.[0-9a-f.]+)?$/.test(one))) {
    const path = join(bin, name);
    const isFree = (): boolean => (statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0) < Date.now() - dayMs;
    add({ name: programItem(name), paths: [path], isFree, remove: () => setAside(path) });
  }
  return found;
}

/** The store with what is known of it, in one folder: nothing of it is ever there without the rest. */
function projectOf(layout: Layout, project: string): CacheItem {
  const isFree = (): boolean => !isInUse(layout, project);
  return {
    name: projectItem(project),
    paths: [layout.store(project)],
    isFree,
    remove: () => (isFree() ? setAside(join(layout.root, 'projects', project)) : undefined),
  };
}

/** The stores of a controller on this machine may lie in the same folder. They are no cache: no agent has made them, and they have refs. */
function isMere(layout: Layout, project: string): boolean {
  const store = layout.store(project);
  return isCacheStore(layout, project) && !['refs/helix', 'packed-refs'].some((name) => existsSync(join(store, name)));
}

/** Whether there is an execution of the project whose result was not collected. One that does not say its project yet may be any's. */
function isInUse(layout: Layout, project: string): boolean {
  return namesIn(layout.executions)
    .filter((id) => !id.startsWith(removedPrefix))
    .some((id) => (readOwner(layout, id)?.project ?? project) === project);
}
