import type { NodeFacts } from '../../contracts/node.ts';
import type { Share } from './resources.ts';

/** An execution that has ended here may still be in what a node said a moment before. */
const rememberEndedMs = 60_000;

const oneSlot: Share = { slots: 1, memory: 0 };

interface NodeCharges {
  /** By execution. */
  held: Map<string, Share>;
  /** Runs on the node without a step here that holds it: left by a node-pool that died, or by one that lost the connection. */
  stray: Set<string>;
  /** When those ended here that the node may still name. */
  ended: Map<string, number>;
  /** Of all that is held and stray; undefined when that has changed. */
  sum: Taken | undefined;
}

type Taken = Readonly<Share & { steps: number }>;

const nothing: Taken = { slots: 0, memory: 0, steps: 0 };

/** What the steps on each node take up. */
export class Charges {
  private readonly nodes = new Map<string, NodeCharges>();

  add(node: string, executionId: string, share: Share): void {
    const charges = this.chargesOf(node);
    charges.stray.delete(executionId);
    charges.ended.delete(executionId);
    charges.held.set(executionId, share);
    charges.sum = undefined;
  }

  /** Unless it has ended, it goes on taking up its place for as long as the node says that it runs. */
  remove(node: string, executionId: string, ended: boolean): void {
    const charges = this.nodes.get(node);
    if (!charges?.held.delete(executionId)) return;
    if (ended) charges.ended.set(executionId, performance.now());
    else charges.stray.add(executionId);
    charges.sum = undefined;
  }

  /** Returns whether more or less is taken up than before. */
  setRunning(node: string, executionIds: readonly string[]): boolean {
    const charges = this.chargesOf(node);
    forgetOld(charges.ended);
    const before = charges.stray.size;
    charges.stray = new Set(executionIds.filter((id) => !charges.held.has(id) && !charges.ended.has(id)));
    charges.sum = undefined;
    return charges.stray.size !== before;
  }

  forget(node: string): void {
    this.nodes.delete(node);
  }

  of(node: string): Taken {
    const charges = this.nodes.get(node);
    if (!charges) return nothing;
    charges.sum ??= sumOf([...charges.held.values(), ...Array.from(charges.stray, () => oneSlot)]);
    return charges.sum;
  }

  /** What runs on the node without a step here that holds it. */
  strayOf(node: string): string[] {
    return [...(this.nodes.get(node)?.stray ?? [])];
  }

  /** How many of these there are. */
  straysOf(node: string): number {
    return this.nodes.get(node)?.stray.size ?? 0;
  }

  /** Steps here that hold a share of the node. */
  heldOf(node: string): number {
    return this.nodes.get(node)?.held.size ?? 0;
  }

  fits(node: { name: string; slots: number; facts: Pick<NodeFacts, 'memory'> }, share: Share): boolean {
    const taken = this.of(node.name);
    return taken.slots + share.slots <= node.slots && taken.memory + share.memory <= node.facts.memory;
  }

  freeSlots(node: { name: string; slots: number }): number {
    return Math.max(0, node.slots - this.of(node.name).slots);
  }

  private chargesOf(node: string): NodeCharges {
    let charges = this.nodes.get(node);
    if (!charges) {
      charges = { held: new Map(), stray: new Set(), ended: new Map(), sum: nothing };
      this.nodes.set(node, charges);
    }
    return charges;
  }
}

function sumOf(shares: readonly Share[]): Taken {
  return {
    slots: shares.reduce((sum, share) => sum + share.slots, 0),
    memory: shares.reduce((sum, share) => sum + share.memory, 0),
    steps: shares.length,
  };
}

function forgetOld(ended: Map<string, number>): void {
  const now = performance.now();
  for (const [executionId, at] of ended) {
    if (now - at < rememberEndedMs) break;
    ended.delete(executionId);
  }
}
