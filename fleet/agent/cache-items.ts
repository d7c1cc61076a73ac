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
  /** Whether it could go when it was listed. */
  isFree(): boolean;
  /** Takes it out of the way at once; settled when it is gone. Undefined when it is in use, whoever works on this node. */
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
  let busy: ((project: string) => boolean) | undefined;
  const isBusy = (project: string): boolean => (busy ??= projectsInUse(layout))(project);
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
    if (isMere(layout, project)) {
      // The store with what is known of it, in one folder: nothing of it is ever there without the rest.
      add({
        name: projectItem(project),
        paths: [layout.store(project)],
        isFree: () => !isBusy(project),
        remove: () => (projectsInUse(layout)(project) ? undefined : setAside(join(layout.root, 'projects', project))),
      });
    }
  }
  const bin = join(layout.root, 'bin');
  for (const name of namesIn(bin).filter((one) => /^[a-z-]+-[0-9a-f]{16}(\.mjs)?(\.[0-9a-f.]+)?$/.test(one))) {
    const path = join(bin, name);
    const isFree = (): boolean => (statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0) < Date.now() - dayMs;
    add({ name: programItem(name), paths: [path], isFree, remove: () => setAside(path) });
  }
  return found;
}

/** The stores of a controller on this machine may lie in the same folder. They are no cache: no agent has made them, and they have refs. */
function isMere(layout: Layout, project: string): boolean {
  const store = layout.store(project);
  return isCacheStore(layout, project) && !['refs/helix', 'packed-refs'].some((name) => existsSync(join(store, name)));
}

/** Tells of a project whether it has an execution whose result was not collected. One that does not say its project yet may be any's. */
function projectsInUse(layout: Layout): (project: string) => boolean {
  const executions = namesIn(layout.executions).filter((id) => !id.startsWith(removedPrefix));
  const owners = new Set(executions.map((id) => readOwner(layout, id)?.project));
  return (project) => owners.has(project) || owners.has(undefined);
}
