import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, rmSync, statSync, utimesSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Layer } from '../../contracts/step.ts';
import type { RunResult } from './command-run.ts';
import { isDiskFull } from './disk-full.ts';
import { hasCode, type Layout } from './layout.ts';
import { host } from './platform/host.ts';
import { namesIn, setAside } from './set-aside.ts';
import type { Slot, SlotLayers } from './slots.ts';
import { resolveInside } from './workspace-path.ts';

/** A layer's key on this node: what it was made from and what it was made with. */
export function nodeLayerKey(layer: Layer, toolchain: string): string {
  return createHash('sha256').update(`${layer.key}\n${toolchain}`).digest('hex');
}

export interface LayerWish {
  layer: Layer;
  /** From `nodeLayerKey`. */
  key: string;
}

export interface LayerOptions {
  layout: Layout;
  executionId: string;
  slot: Slot;
  wishes: LayerWish[];
  /** Keeps the node's copy of a layer from being evicted; returns what ends that. */
  hold(wish: LayerWish): () => void;
  /** Runs the layer's own install command in the workspace. */
  install(wish: LayerWish): Promise<RunResult>;
  signal: AbortSignal;
}

const draftSuffix = '.new';
/** Kept per slot besides those in use, newest first. */
const parkedPerSlot = 4;

/**
 * Brings the slot's layers to what is wished: parks what is in the way, then moves in what is parked, copies what this node has
 * made before, or installs. Only one execution of the node installs a layer, the others wait and copy.
 * Resolves with whether anything was installed, or with the install that failed.
 */
export async function placeLayers(options: LayerOptions): Promise<{ installed: boolean; failed?: RunResult }> {
  const { slot, wishes } = options;
  await forgetHalfMoved(options);
  await parkUnwanted(slot, new Set(wishes.map(({ key }) => key)));
  let installed = false;
  for (const wish of wishes) {
    const place = slot.layers()[wish.key]?.place;
    if (place === 'workspace') continue;
    if (place === 'parked') {
      await moveIn(slot, wish);
      continue;
    }
    const release = options.hold(wish);
    const failed = await makeOrCopy(options, wish, () => {
      installed = true;
    }).finally(release);
    if (failed) return { installed, failed };
  }
  return { installed };
}

/** Workspace-relative folders that belong to layers and not to snapshots. */
export function layerPaths(slot: Slot): string[] {
  return Object.values(slot.layers()).flatMap(({ paths, place }) => (place === 'parked' ? [] : paths));
}

async function makeOrCopy(
  options: LayerOptions,
  wish: LayerWish,
  onInstall: () => void,
): Promise<RunResult | undefined> {
  const { layout, slot, executionId, signal } = options;
  const made = join(layout.layers, wish.key);
  const lock = lockOf(layout, wish.key);
  for (;;) {
    signal.throwIfAborted();
    const holder = lockHolder(lock);
    if (holder === undefined && existsSync(made)) {
      if (await copyIn(slot, wish, made)) return undefined;
      continue;
    }
    if (holder === executionId || (holder === undefined && host.claim(lock, executionId))) break;
    if (holder !== undefined && isAbandoned(layout, holder)) rmSync(lock, { force: true });
    else await sleep(50);
  }
  try {
    onInstall();
    setPlace(slot, wish, 'moving');
    const result = await options.install(wish);
    if (result.end !== 'exited' || result.exitCode !== 0) return result;
    await keepCopy(slot, wish, made);
    setPlace(slot, wish, 'workspace');
    return undefined;
  } finally {
    rmSync(lock, { force: true });
  }
}

/** Without space for it there is no copy; the step has its layer all the same. */
async function keepCopy(slot: Slot, wish: LayerWish, made: string): Promise<void> {
  if (existsSync(made)) return;
  const temporary = `${made}${draftSuffix}`;
  try {
    await rm(temporary, { recursive: true, force: true });
    mkdirSync(temporary);
    for (const path of wish.layer.paths) {
      const source = resolveInside(slot.workspace, path);
      if (existsSync(source)) await copyTree(source, join(temporary, path));
    }
    host.rename(temporary, made);
  } catch (error) {
    await rm(temporary, { recursive: true, force: true });
    if (!isDiskFull(error)) throw error;
  }
}

/** Whether it is there; not where the copy was evicted meanwhile, by another agent. */
async function copyIn(slot: Slot, wish: LayerWish, made: string): Promise<boolean> {
  setPlace(slot, wish, 'moving');
  const identity = statSync(made, { throwIfNoEntry: false })?.ino;
  try {
    for (const path of wish.layer.paths) {
      const target = resolveInside(slot.workspace, path);
      await rm(target, { recursive: true, force: true });
      if (existsSync(join(made, path))) await copyTree(join(made, path), target);
    }
    const now = new Date();
    utimesSync(made, now, now);
  } catch (error) {
    if (identity !== undefined && statSync(made, { throwIfNoEntry: false })?.ino === identity) throw error;
    return false;
  }
  setPlace(slot, wish, 'workspace');
  return true;
}

async function moveIn(slot: Slot, wish: LayerWish): Promise<void> {
  setPlace(slot, wish, 'moving');
  for (const path of wish.layer.paths) {
    const target = resolveInside(slot.workspace, path);
    await rm(target, { recursive: true, force: true });
    move(join(slot.parked, wish.key, path), target);
  }
  await rm(join(slot.parked, wish.key), { recursive: true, force: true });
  setPlace(slot, wish, 'workspace');
}

async function parkUnwanted(slot: Slot, wanted: ReadonlySet<string>): Promise<void> {
  const layers = slot.layers();
  for (const [key, { paths, place }] of Object.entries(layers)) {
    if (place !== 'workspace' || wanted.has(key)) continue;
    slot.setLayers({ ...slot.layers(), [key]: { paths, place: 'moving' } });
    const parked = join(slot.parked, key);
    await rm(parked, { recursive: true, force: true });
    for (const path of paths) move(resolveInside(slot.workspace, path), join(parked, path));
    const { [key]: _moved, ...others } = slot.layers();
    slot.setLayers({ [key]: { paths, place: 'parked' }, ...others });
  }
  await dropOldParked(slot, wanted);
}

async function dropOldParked(slot: Slot, wanted: ReadonlySet<string>): Promise<void> {
  const layers = slot.layers();
  const parked = Object.keys(layers).filter((key) => layers[key]!.place === 'parked' && !wanted.has(key));
  for (const key of parked.slice(parkedPerSlot)) {
    await rm(join(slot.parked, key), { recursive: true, force: true });
    const { [key]: _dropped, ...others } = slot.layers();
    slot.setLayers(others);
  }
}

/** An agent died while it moved these: nobody knows what is there, so it goes; but not under the hands of our own install. */
async function forgetHalfMoved({ slot, layout, executionId }: LayerOptions): Promise<void> {
  const layers: SlotLayers = slot.layers();
  for (const [key, { paths, place }] of Object.entries(layers)) {
    if (place !== 'moving' || lockHolder(lockOf(layout, key)) === executionId) continue;
    for (const path of paths) await rm(resolveInside(slot.workspace, path), { recursive: true, force: true });
    await rm(join(slot.parked, key), { recursive: true, force: true });
    delete layers[key];
    slot.setLayers(layers);
  }
}

function lockOf(layout: Layout, key: string): string {
  return join(layout.layers, `${key}.lock`);
}

function setPlace(slot: Slot, { layer, key }: LayerWish, place: SlotLayers[string]['place']): void {
  slot.setLayers({ ...slot.layers(), [key]: { paths: layer.paths, place } });
}

function move(from: string, to: string): void {
  if (!existsSync(from)) return;
  mkdirSync(dirname(to), { recursive: true });
  host.rename(from, to);
}

async function copyTree(from: string, to: string): Promise<void> {
  mkdirSync(dirname(to), { recursive: true });
  await host.copyTree(from, to);
}

function lockHolder(lock: string): string | undefined {
  try {
    return host.claimant(lock);
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return undefined;
    throw error;
  }
}

function isAbandoned(layout: Layout, executionId: string): boolean {
  const folder = layout.execution(executionId);
  return !existsSync(folder) || existsSync(join(folder, 'result.json'));
}

/** What agents that died left of copies that they were making. */
export async function dropAbandonedDrafts(layout: Layout): Promise<void> {
  for (const name of namesIn(layout.layers).filter((one) => one.endsWith(draftSuffix))) {
    const holder = lockHolder(lockOf(layout, name.slice(0, -draftSuffix.length)));
    if (holder === undefined || isAbandoned(layout, holder)) await setAside(join(layout.layers, name));
  }
}
