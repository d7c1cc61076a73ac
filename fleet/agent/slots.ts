import { existsSync, mkdirSync, readdirSync, readlinkSync, rmSync, symlinkSync, unlinkSync } from 'node:fs';
import { join } from 'node:path';
import { hasCode, readIfThere, writeAtomically, type Layout } from './layout.ts';

/** What is known to be in a slot's checkout. Absent while a step changes it. */
export interface SlotContent {
  snapshot: string;
  /** It is exactly the snapshot, without inputs or outputs of a step beside it. */
  exact: boolean;
  /** Process id of the agent that left it so: what another agent remembers of the checkout is out of date. */
  agent: number;
}

/** A layer's folders in a slot, by the layer's key on this node. `moving` is left behind by an agent that died on the way. */
export type SlotLayers = Record<string, { paths: string[]; place: 'workspace' | 'parked' | 'moving' }>;

export interface Slot {
  number: number;
  /** The checkout. */
  workspace: string;
  content(): SlotContent | undefined;
  /** Undefined says that nothing is known any more. */
  setContent(content: SlotContent | undefined): void;
  layers(): SlotLayers;
  setLayers(layers: SlotLayers): void;
  /** Where layers wait that are in the slot but not wanted by the present step. */
  parked: string;
  free(): void;
}

export interface SlotWish {
  snapshot: string;
  layerKeys: string[];
}

/**
 * Claims a slot for an execution: the one it holds already, else the free one nearest to what is wished, else a new one. A claim is
 * a symbolic link that names the execution, which is atomic; a claim of an execution that no longer exists counts as free.
 */
export function claimSlot(layout: Layout, project: string, executionId: string, wish: SlotWish): Slot {
  const folder = layout.slots(project);
  mkdirSync(folder, { recursive: true });
  for (;;) {
    const numbers = existingSlots(folder);
    const held = numbers.find((number) => claimant(folder, number) === executionId);
    if (held !== undefined) return openSlot(folder, held);
    const free = numbers.filter((number) => isFree(layout, folder, number)).map((number) => openSlot(folder, number));
    free.sort((a, b) => nearness(b, wish) - nearness(a, wish));
    const next = numbers.length === 0 ? 0 : Math.max(...numbers) + 1;
    for (const slot of [...free, openSlot(folder, next)]) {
      if (!claim(folder, slot.number, executionId)) continue;
      mkdirSync(slot.workspace, { recursive: true });
      return slot;
    }
  }
}

/** The slot an execution holds, if any. */
export function heldSlot(layout: Layout, project: string, executionId: string): Slot | undefined {
  const folder = layout.slots(project);
  const held = existingSlots(folder).find((number) => claimant(folder, number) === executionId);
  return held === undefined ? undefined : openSlot(folder, held);
}

function openSlot(folder: string, number: number): Slot {
  const contentFile = join(folder, `${number}.content`);
  const layersFile = join(folder, `${number}.layers`);
  return {
    number,
    workspace: join(folder, String(number)),
    parked: join(folder, `${number}.parked`),
    content: () => parseIfThere(contentFile) as SlotContent | undefined,
    setContent: (content) => {
      if (content) writeAtomically(contentFile, JSON.stringify(content));
      else rmSync(contentFile, { force: true });
    },
    layers: () => (parseIfThere(layersFile) as SlotLayers | undefined) ?? {},
    setLayers: (layers) => writeAtomically(layersFile, JSON.stringify(layers)),
    free: () => rmSync(claimFile(folder, number), { force: true }),
  };
}

/** Layers weigh most: they are the dearest to move. */
function nearness(slot: Slot, wish: SlotWish): number {
  const layers = slot.layers();
  const content = slot.content();
  return (
    wish.layerKeys.filter((key) => Object.hasOwn(layers, key)).length * 8 +
    (content?.snapshot === wish.snapshot ? 4 : 0) +
    (content?.exact ? 2 : 0) +
    (content ? 1 : 0)
  );
}

function claimFile(folder: string, number: number): string {
  return join(folder, `${number}.claim`);
}

function existingSlots(folder: string): number[] {
  try {
    const names = readdirSync(folder).filter((name) => /^\d+$/.test(name));
    return names.map(Number).sort((a, b) => a - b);
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return [];
    throw error;
  }
}

function claim(folder: string, number: number, executionId: string): boolean {
  try {
    symlinkSync(executionId, claimFile(folder, number));
    return true;
  } catch (error) {
    if (hasCode(error, 'EEXIST')) return false;
    throw error;
  }
}

function claimant(folder: string, number: number): string | undefined {
  try {
    return readlinkSync(claimFile(folder, number));
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return undefined;
    throw error;
  }
}

function isFree(layout: Layout, folder: string, number: number): boolean {
  const holder = claimant(folder, number);
  if (holder === undefined) return true;
  if (existsSync(layout.execution(holder))) return false;
  try {
    unlinkSync(claimFile(folder, number));
  } catch (error) {
    if (!hasCode(error, 'ENOENT')) throw error;
  }
  return true;
}

function parseIfThere(file: string): unknown {
  const text = readIfThere(file);
  return text === undefined ? undefined : JSON.parse(text);
}
