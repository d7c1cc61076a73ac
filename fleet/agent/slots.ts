import { existsSync, mkdirSync, rmSync, unlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { hasCode, readIfThere, writeAtomically, type Layout } from './layout.ts';
import { commands } from './platform/commands.ts';
import { host } from './platform/host.ts';
import { namesIn, setAside } from './set-aside.ts';

/** What is known to be in a slot's checkout. */
export interface SlotContent {
  snapshot: string;
  /** It is exactly the snapshot, without inputs or outputs of a step beside it. */
  exact: boolean;
  /** From `stampWorkspace`, when it could be taken. */
  stamp?: string | undefined;
}

/** A layer's folders in a slot, by the layer's key on this node. `moving` is left behind by an agent that died on the way. */
export type SlotLayers = Record<string, { paths: string[]; place: 'workspace' | 'parked' | 'moving' }>;

export interface Slot {
  number: number;
  /** The checkout. */
  workspace: string;
  /** This agent was also the last to use it, so that what it remembers of the checkout holds. */
  isOurs: boolean;
  content(): SlotContent | undefined;
  /** Undefined says that nothing is known any more. */
  setContent(content: SlotContent | undefined): void;
  layers(): SlotLayers;
  setLayers(layers: SlotLayers): void;
  /** Where layers wait that are in the slot but not wanted by the present step. */
  parked: string;
  /** With `discard`, what is in it is thrown away first. */
  free(discard: boolean): void;
}

export interface SlotWish {
  snapshot: string;
  layerKeys: string[];
}

/** The slots of a node as one agent sees them. What is in a checkout is only remembered, since finding out is a restore. */
export class Slots {
  readonly #layout: Layout;
  readonly #contents = new Map<string, SlotContent>();

  constructor(layout: Layout) {
    this.#layout = layout;
  }

  /**
   * Claims a slot for an execution: the one it holds already, else the free one nearest to what is wished, else a new one. A claim
   * names the execution; a claim of an execution that no longer exists counts as free.
   */
  claim(project: string, executionId: string, wish: SlotWish): Slot {
    const folder = this.#layout.slots(project);
    for (;;) {
      const numbers = slotNumbers(folder);
      const held = numbers.find((number) => claimant(folder, number) === executionId);
      if (held !== undefined) return this.#take(folder, held);
      const free = numbers.filter((number) => isFree(this.#layout, folder, number));
      const near = new Map(free.map((number) => [number, this.#nearness(folder, number, wish)]));
      free.sort((a, b) => near.get(b)! - near.get(a)!);
      const next = numbers.length === 0 ? 0 : Math.max(...numbers) + 1;
      for (const number of [...free, next]) {
        if (!claim(folder, number, executionId)) continue;
        mkdirSync(join(folder, String(number)), { recursive: true });
        return this.#take(folder, number);
      }
    }
  }

  #take(folder: string, number: number): Slot {
    const workspace = join(folder, String(number));
    const userFile = join(folder, `${number}.user`);
    const isOurs = readIfThere(userFile) === String(process.pid);
    if (!isOurs) {
      this.#contents.delete(workspace);
      writeFileSync(userFile, String(process.pid));
    }
    const layersFile = join(folder, `${number}.layers`);
    return {
      number,
      workspace,
      isOurs,
      parked: join(folder, `${number}.parked`),
      content: () => this.#contents.get(workspace),
      setContent: (content) => {
        if (content) this.#contents.set(workspace, content);
        else this.#contents.delete(workspace);
      },
      layers: () => readLayers(layersFile),
      setLayers: (layers) => writeAtomically(layersFile, JSON.stringify(layers)),
      free: (discard) => {
        if (discard) discardContent(folder, number);
        rmSync(claimFile(folder, number), { force: true });
      },
    };
  }

  /** Layers weigh most: they are the dearest to move. */
  #nearness(folder: string, number: number, wish: SlotWish): number {
    const layers = wish.layerKeys.length === 0 ? {} : readLayers(join(folder, `${number}.layers`));
    const content = this.#contents.get(join(folder, String(number)));
    return (
      wish.layerKeys.filter((key) => Object.hasOwn(layers, key)).length * 8 +
      (content?.snapshot === wish.snapshot ? 4 : 0) +
      (content?.exact ? 2 : 0) +
      (content ? 1 : 0)
    );
  }
}

/** Frees the slot that the execution holds, if any; with `discard`, of what is in it as well. */
export function releaseSlot(layout: Layout, project: string, executionId: string, discard: boolean): void {
  const folder = layout.slots(project);
  const held = slotNumbers(folder).find((number) => claimant(folder, number) === executionId);
  if (held === undefined) return;
  if (discard) discardContent(folder, held);
  rmSync(claimFile(folder, held), { force: true });
}

/** Throws away what is in a slot, at once, and in the background from the disk. Undefined when somebody uses it. */
export function discardFreeSlot(layout: Layout, project: string, number: number): Promise<unknown> | undefined {
  const folder = layout.slots(project);
  if (!isFree(layout, folder, number) || !claim(folder, number, `${discarderPrefix}${process.pid}`)) return undefined;
  const { gone } = discardContent(folder, number);
  rmSync(claimFile(folder, number), { force: true });
  return gone;
}

/** No execution's id has a dot. */
const discarderPrefix = 'agent.';

/** Of a slot that the caller holds. The checkout goes first: whoever finds the slot claimed by the dead throws away the rest. */
function discardContent(folder: string, number: number): { gone: Promise<unknown> } {
  const gone = [String(number), `${number}.parked`].map((name) => setAside(join(folder, name)));
  for (const name of [`${number}.layers`, `${number}.user`]) rmSync(join(folder, name), { force: true });
  return { gone: Promise.all(gone) };
}

function claimFile(folder: string, number: number): string {
  return join(folder, `${number}.claim`);
}

/** Also of those of which only the claim is left. */
export function slotNumbers(folder: string): number[] {
  const numbers = namesIn(folder).flatMap((name) => /^(\d+)(?:\.claim)?$/.exec(name)?.[1] ?? []);
  return [...new Set(numbers.map(Number))].sort((a, b) => a - b);
}

function claim(folder: string, number: number, executionId: string): boolean {
  return host.claim(claimFile(folder, number), executionId);
}

function claimant(folder: string, number: number): string | undefined {
  try {
    return host.claimant(claimFile(folder, number));
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return undefined;
    throw error;
  }
}

function isFree(layout: Layout, folder: string, number: number): boolean {
  const holder = claimant(folder, number);
  if (holder === undefined) return true;
  if (existsSync(layout.execution(holder))) return false;
  if (
    holder.startsWith(discarderPrefix) &&
    commands.isAgentOf(Number(holder.slice(discarderPrefix.length)), layout.root)
  )
    return false;
  // Whoever held it did not bring it to an end that is known.
  discardContent(folder, number);
  try {
    unlinkSync(claimFile(folder, number));
  } catch (error) {
    if (!hasCode(error, 'ENOENT')) throw error;
  }
  return true;
}

function readLayers(file: string): SlotLayers {
  const text = readIfThere(file);
  return text === undefined ? {} : (JSON.parse(text) as SlotLayers);
}
