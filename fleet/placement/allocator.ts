import { type ClassAtom, parseCapabilityClass } from '../../contracts/capability-class.ts';
import type { NodeFacts } from '../../contracts/node.ts';
import { satisfies } from '../capability.ts';

/** A node as the allocator sees it. */
export interface Placeable {
  readonly name: string;
  readonly slots: number;
  readonly facts: NodeFacts;
  readonly labels: Record<string, string>;
  readonly healthy: boolean;
}

/** A slot of a node, held by one step until it is given back. */
export interface SlotLease {
  readonly node: string;
  release(): void;
}

export interface AcquireOptions {
  signal: AbortSignal;
  /** The node where the step may run already: taken even when it is full, as long as it is healthy. */
  attachTo?: string | undefined;
  /** Called once, when no healthy node of the class is known. */
  onUnserved?(): void;
}

interface Waiter {
  options: AcquireOptions;
  grant(lease: SlotLease): void;
  toldUnserved: boolean;
}

/**
 * How many tasks of a class may wait in this process when no node serves it: enough for the user to be told about each job at once, while
 * the others stay where a later node-pool finds them too.
 */
const waitersOfUnservedClass = 50;

/** The tasks of one capability class in this process. */
interface ClassState {
  readonly atoms: ClassAtom[];
  /** Permits to poll that were granted and have found no task yet. */
  credits: number;
  /** Tasks that this process has taken from the queue and not finished. */
  admitted: number;
  /** Slots of nodes that tasks of the class hold. */
  holding: number;
  readonly creditWaiters: Set<() => void>;
  readonly waiters: Set<Waiter>;
}

/**
 * Shares the slots of all nodes among all capability classes. A class is granted a credit to poll its task queue while there is a free slot
 * that no admitted task is on its way to; a task is given its node only when it arrives, least loaded first. Credits are not slots: an idle
 * poll holds no node. See docs/placement.md.
 */
export class Allocator {
  private readonly nodes = new Map<string, Placeable>();
  private readonly busy = new Map<string, number>();
  private readonly classes = new Map<string, ClassState>();

  /** Adds a node or takes over its new state, and lets waiting steps have it. */
  setNode(node: Placeable): void {
    this.nodes.set(node.name, node);
    this.serve();
  }

  removeNode(name: string): void {
    this.nodes.delete(name);
    this.serve();
  }

  /** Waits until the class may poll for one more task. Rejects with the signal's reason. */
  async reserveCredit(className: string, signal: AbortSignal): Promise<Credit> {
    const state = this.classState(className);
    while (!this.mayPoll(state)) await untilCalled(state.creditWaiters, signal);
    signal.throwIfAborted();
    state.credits += 1;
    return new Credit(
      () => {
        state.credits -= 1;
        state.admitted += 1;
      },
      (used) => {
        if (used) state.admitted -= 1;
        else state.credits -= 1;
        this.serve();
      },
    );
  }

  /** Waits for a slot of a node of the class. Rejects with the signal's reason. */
  acquire(className: string, options: AcquireOptions): Promise<SlotLease> {
    const state = this.classState(className);
    const { signal } = options;
    signal.throwIfAborted();
    return new Promise((resolve, reject) => {
      const waiter: Waiter = {
        options,
        toldUnserved: false,
        grant: (lease) => {
          state.waiters.delete(waiter);
          signal.removeEventListener('abort', abort);
          resolve(lease);
        },
      };
      const abort = (): void => {
        state.waiters.delete(waiter);
        reject(signal.reason);
        this.serve();
      };
      signal.addEventListener('abort', abort, { once: true });
      state.waiters.add(waiter);
      this.serve();
    });
  }

  /** Whether a healthy node of the class is known. */
  serves(className: string): boolean {
    return this.nodesOf(this.classState(className)).length > 0;
  }

  /** Steps that hold a slot of the node. */
  busySlots(node: string): number {
    return this.busy.get(node) ?? 0;
  }

  private classState(className: string): ClassState {
    let state = this.classes.get(className);
    if (!state) {
      state = {
        atoms: parseCapabilityClass(className),
        credits: 0,
        admitted: 0,
        holding: 0,
        creditWaiters: new Set(),
        waiters: new Set(),
      };
      this.classes.set(className, state);
    }
    return state;
  }

  private serve(): void {
    for (const state of this.classes.values()) {
      for (const waiter of state.waiters) this.tryGrant(state, waiter);
    }
    for (const state of this.classes.values()) {
      if (this.mayPoll(state)) for (const wake of state.creditWaiters) wake();
    }
  }

  private tryGrant(state: ClassState, waiter: Waiter): void {
    const { attachTo, onUnserved } = waiter.options;
    const serving = this.nodesOf(state);
    const attach = attachTo === undefined ? undefined : this.nodes.get(attachTo);
    if (attach?.healthy) return waiter.grant(this.lease(state, attach.name));
    if (serving.length === 0 && !waiter.toldUnserved) {
      waiter.toldUnserved = true;
      onUnserved?.();
    }
    const free = serving.filter((node) => this.freeSlots(node) > 0);
    const best = free.sort(
      (a, b) => this.load(a) - this.load(b) || this.versatility(a) - this.versatility(b) || compare(a.name, b.name),
    )[0];
    if (best) waiter.grant(this.lease(state, best.name));
  }

  private lease(state: ClassState, node: string): SlotLease {
    state.holding += 1;
    this.busy.set(node, this.busySlots(node) + 1);
    let held = true;
    return {
      node,
      release: () => {
        if (!held) return;
        held = false;
        state.holding -= 1;
        this.busy.set(node, this.busySlots(node) - 1);
        this.serve();
      },
    };
  }

  private mayPoll(state: ClassState): boolean {
    const serving = this.nodesOf(state);
    const onTheWay = state.admitted - state.holding;
    if (serving.length === 0) return state.credits + onTheWay < waitersOfUnservedClass;
    const free = serving.reduce((sum, node) => sum + Math.max(0, this.freeSlots(node)), 0) - onTheWay;
    // The floor of one keeps the place of a rare class on busy nodes, unless somebody of it waits already.
    return state.credits < Math.max(free, onTheWay === 0 ? 1 : 0);
  }

  private nodesOf(state: ClassState): Placeable[] {
    return [...this.nodes.values()].filter((node) => node.healthy && satisfies(node.facts, node.labels, state.atoms));
  }

  private freeSlots(node: Placeable): number {
    return node.slots - this.busySlots(node.name);
  }

  private load(node: Placeable): number {
    return this.busySlots(node.name) / node.slots;
  }

  /** How many classes a node serves: of equally loaded nodes the one that fewer others could need is taken. */
  private versatility(node: Placeable): number {
    let served = 0;
    for (const state of this.classes.values()) if (satisfies(node.facts, node.labels, state.atoms)) served += 1;
    return served;
  }
}

/** A permit to poll: used when a task was found, released exactly once. */
export class Credit {
  private used = false;
  private released = false;
  private readonly onUse: () => void;
  private readonly onRelease: (used: boolean) => void;

  constructor(onUse: () => void, onRelease: (used: boolean) => void) {
    this.onUse = onUse;
    this.onRelease = onRelease;
  }

  markUsed(): void {
    if (this.used || this.released) return;
    this.used = true;
    this.onUse();
  }

  release(): void {
    if (this.released) return;
    this.released = true;
    this.onRelease(this.used);
  }
}

function untilCalled(set: Set<() => void>, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const wake = (): void => {
      set.delete(wake);
      signal.removeEventListener('abort', abort);
      resolve();
    };
    const abort = (): void => {
      set.delete(wake);
      reject(signal.reason);
    };
    if (signal.aborted) return reject(signal.reason);
    signal.addEventListener('abort', abort, { once: true });
    set.add(wake);
  });
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
