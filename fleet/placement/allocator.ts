import { type ClassAtom, parseCapabilityClass } from '../../contracts/capability-class.ts';
import type { NodeFacts } from '../../contracts/node.ts';
import type { Resources } from '../../contracts/step.ts';
import { satisfies } from '../capability.ts';
import { Charges } from './charges.ts';
import { Credit } from './credit.ts';
import { couldEverTake, shareOf } from './resources.ts';

/** A node as the allocator sees it. */
export interface Placeable {
  readonly name: string;
  readonly slots: number;
  readonly facts: NodeFacts;
  readonly labels: Record<string, string>;
  /** What it takes: any step, only steps that run there already, or nothing because it cannot be reached. */
  readonly takes: 'any' | 'attached' | 'nothing';
  /** Taken only when no better one is free. */
  readonly degraded: boolean;
}

/** What of a node another node-pool resources to know. */
export type RemoteNode = Pick<Placeable, 'facts' | 'labels'> & { readonly slots: number };

/** A share of a node, held by one step until it is given back. */
export interface SlotLease {
  readonly node: string;
  /** The node takes no new steps: the step may go on there, not begin. */
  readonly attachOnly: boolean;
  /** Why this node: a few words for people. */
  readonly why: string;
  /** `ended` says that nothing of the step runs there any more. */
  release(ended: boolean): void;
}

export interface AcquireOptions {
  executionId: string;
  signal: AbortSignal;
  resources?: Resources | undefined;
  /** The node where the step may run already: taken even when it is full, as long as it can be reached. */
  attachTo?: string | undefined;
  /** A node that is not to be taken. */
  avoid?: string | undefined;
  /** How much of what the step needs is on a node already: it weighs as much as that share of the node's slots being free. */
  warmth?(node: string): number;
  /** Called once, when no node of the fleet could ever take the step. */
  onUnserved?(): void;
}

/** Nothing of this pool serves the class any more, but another pool does: the task is to be given back to the queue. */
export const ELSEWHERE: Error = Object.assign(new Error('another node-pool serves this class by now'), {
  name: 'Elsewhere',
});

interface Waiter {
  state: ClassState;
  options: AcquireOptions;
  grant(lease: SlotLease): void;
  refuse(error: Error): void;
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
  /** The nodes here that satisfy it, whether they take anything or not; undefined when the nodes have changed. */
  satisfying: ReadonlySet<Placeable> | undefined;
  /** Permits to poll that were granted and have found no task yet. */
  credits: number;
  /** Tasks that this process has taken from the queue and not finished. */
  admitted: number;
  /** Tasks of the class that hold a share of a node. */
  holding: number;
  readonly creditWaiters: Set<() => void>;
}

/**
 * Shares the slots of this pool's nodes among all capability classes. A class is granted a credit to poll its task queue while there is a
 * free slot that no admitted task is on its way to; a task is given its node only when it arrives. Credits are not slots: an idle poll
 * holds no node. See docs/placement.md.
 */
export class Allocator {
  private readonly nodes = new Map<string, Placeable>();
  private readonly charges = new Charges();
  private readonly classes = new Map<string, ClassState>();
  /** In the order of their arrival. */
  private readonly waiters = new Set<Waiter>();
  private elsewhere: readonly RemoteNode[] = [];
  private readonly mayPlace: () => boolean;

  /** Nothing is placed while `mayPlace` says no; `serve` has to be called when it says yes again. */
  constructor(mayPlace: () => boolean = () => true) {
    this.mayPlace = mayPlace;
  }

  /** Adds a node or takes over its new state, and lets waiting steps have it. */
  setNode(node: Placeable): void {
    this.nodes.set(node.name, node);
    this.nodesChanged();
  }

  removeNode(name: string): void {
    this.nodes.delete(name);
    this.charges.forget(name);
    this.nodesChanged();
  }

  /** Nodes that take steps and belong to other node-pools. */
  setElsewhere(nodes: readonly RemoteNode[]): void {
    this.elsewhere = nodes;
    this.serve();
  }

  /** Executions that a node says it runs, whoever has asked for them: those that no step here holds take up their place too. */
  setRunning(name: string, executionIds: readonly string[]): void {
    if (this.charges.setRunning(name, executionIds)) this.serve();
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

  /** Waits for a share of a node of the class. Rejects with the signal's reason, or with ELSEWHERE. */
  acquire(className: string, options: AcquireOptions): Promise<SlotLease> {
    const state = this.classState(className);
    const { signal } = options;
    signal.throwIfAborted();
    return new Promise((resolve, reject) => {
      const leave = (): void => {
        this.waiters.delete(waiter);
        signal.removeEventListener('abort', abort);
      };
      const waiter: Waiter = {
        state,
        options,
        toldUnserved: false,
        grant: (lease) => {
          leave();
          resolve(lease);
        },
        refuse: (error) => {
          leave();
          reject(error);
        },
      };
      const abort = (): void => {
        waiter.refuse(signal.reason as Error);
        this.serve();
      };
      signal.addEventListener('abort', abort, { once: true });
      this.waiters.add(waiter);
      this.serve();
    });
  }

  /** Whether any node of the fleet that takes steps could take this one. */
  serves(className: string, resources?: Resources): boolean {
    const state = this.classState(className);
    return this.candidates(state, resources).length > 0 || this.isServedElsewhere(state.atoms, resources);
  }

  /** Whether another node here takes such a step. */
  hasAnother(node: string, className: string, resources?: Resources): boolean {
    return this.candidates(this.classState(className), resources).some(({ name }) => name !== node);
  }

  /** Slots of the node that are taken. */
  busySlots(node: string): number {
    return this.charges.of(node).slots;
  }

  /** Steps that hold a share of the node, and executions there that nobody holds. */
  busySteps(node: string): number {
    return this.charges.of(node).steps;
  }

  /** Executions on the node that no step here holds. */
  strayExecutions(node: string): string[] {
    return this.charges.strayOf(node);
  }

  /** Steps here that hold a share of the node. */
  heldSteps(node: string): number {
    return this.charges.heldOf(node);
  }

  /** Gives free places to those who wait, oldest first. */
  serve(): void {
    if (!this.mayPlace()) return;
    const reserved = new Set<string>();
    for (const waiter of this.waiters) this.tryGrant(waiter, reserved);
    for (const state of this.classes.values()) {
      if (this.mayPoll(state)) for (const wake of state.creditWaiters) wake();
    }
  }

  private nodesChanged(): void {
    for (const state of this.classes.values()) state.satisfying = undefined;
    this.serve();
  }

  private classState(className: string): ClassState {
    let state = this.classes.get(className);
    if (!state) {
      state = {
        atoms: parseCapabilityClass(className),
        satisfying: undefined,
        credits: 0,
        admitted: 0,
        holding: 0,
        creditWaiters: new Set(),
      };
      this.classes.set(className, state);
    }
    return state;
  }

  /** `reserved` are nodes that a bigger step waits for to become free enough: a stream of small ones must not keep it out for ever. */
  private tryGrant(waiter: Waiter, reserved: Set<string>): void {
    const { state, options } = waiter;
    const { attachTo, avoid, resources, onUnserved } = options;
    const attach = attachTo === undefined ? undefined : this.nodes.get(attachTo);
    if (attach && attach.takes !== 'nothing') {
      return waiter.grant(this.lease(state, attach, options, 'it runs there already'));
    }
    const candidates = this.candidates(state, resources).filter(({ name }) => name !== avoid);
    if (candidates.length === 0) {
      if (this.isServedElsewhere(state.atoms, resources)) return waiter.refuse(ELSEWHERE);
      if (!waiter.toldUnserved) {
        waiter.toldUnserved = true;
        onUnserved?.();
      }
      return;
    }
    const open = candidates.filter(({ name }) => !reserved.has(name));
    const fitting = open.filter((node) => this.charges.fits(node, shareOf(node, resources)));
    const best = this.best(fitting, options);
    if (best) return waiter.grant(this.lease(state, best, options, reasonFor(best, candidates, options)));
    const [next] = open.toSorted((a, b) => this.load(a) - this.load(b) || compare(a.name, b.name));
    if (next && shareOf(next, resources).slots > 1) reserved.add(next.name);
  }

  private best(nodes: readonly Placeable[], { warmth = () => 0 }: AcquireOptions): Placeable | undefined {
    const rated = nodes.map((node) => ({ node, load: this.load(node) - warmth(node.name) }));
    const isBetter = (a: (typeof rated)[number], b: (typeof rated)[number]): boolean =>
      (Number(a.node.degraded) - Number(b.node.degraded) ||
        a.load - b.load ||
        this.versatility(a.node) - this.versatility(b.node) ||
        compare(a.node.name, b.node.name)) < 0;
    return rated.reduce<(typeof rated)[number] | undefined>(
      (best, one) => (best === undefined || isBetter(one, best) ? one : best),
      undefined,
    )?.node;
  }

  private lease(state: ClassState, node: Placeable, options: AcquireOptions, why: string): SlotLease {
    const { executionId, resources } = options;
    state.holding += 1;
    this.charges.add(node.name, executionId, shareOf(node, resources));
    let held = true;
    return {
      node: node.name,
      attachOnly: node.takes !== 'any',
      why,
      release: (ended) => {
        if (!held) return;
        held = false;
        state.holding -= 1;
        this.charges.remove(node.name, executionId, ended);
        this.serve();
      },
    };
  }

  private mayPoll(state: ClassState): boolean {
    if (!this.mayPlace()) return false;
    const serving = this.candidates(state);
    const onTheWay = state.admitted - state.holding;
    if (serving.length === 0) {
      // Whoever has such nodes is to have the tasks.
      if (this.isServedElsewhere(state.atoms)) return false;
      return state.credits + onTheWay < waitersOfUnservedClass;
    }
    const free = serving.reduce((sum, node) => sum + this.charges.freeSlots(node), 0) - onTheWay;
    // The floor of one keeps the place of a rare class on busy nodes, unless somebody of it waits already.
    // What was left on the nodes takes up slots until its own steps are polled for, whoever else waits already.
    const strays = serving.reduce((sum, node) => sum + this.charges.straysOf(node.name), 0);
    return state.credits < Math.max(free, onTheWay === 0 ? 1 : 0) + strays;
  }

  private candidates(state: ClassState, resources?: Resources): Placeable[] {
    return [...this.satisfying(state)].filter((node) => node.takes === 'any' && couldEverTake(node, resources));
  }

  private satisfying(state: ClassState): ReadonlySet<Placeable> {
    state.satisfying ??= new Set(
      [...this.nodes.values()].filter((node) => satisfies(node.facts, node.labels, state.atoms)),
    );
    return state.satisfying;
  }

  private isServedElsewhere(atoms: ClassAtom[], resources?: Resources): boolean {
    return this.elsewhere.some((node) => satisfies(node.facts, node.labels, atoms) && couldEverTake(node, resources));
  }

  private load(node: Placeable): number {
    return this.busySlots(node.name) / node.slots;
  }

  /** How many classes a node serves: of equally loaded nodes the one that fewer others could need is taken. */
  private versatility(node: Placeable): number {
    let served = 0;
    for (const state of this.classes.values()) if (this.satisfying(state).has(node)) served += 1;
    return served;
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

function reasonFor(node: Placeable, candidates: readonly Placeable[], { warmth }: AcquireOptions): string {
  if (candidates.length === 1) return 'the only node of its class';
  if (warmth && warmth(node.name) > 0) return 'it has the project already';
  return `least loaded of ${candidates.length}`;
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
