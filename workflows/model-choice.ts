import type { ModelRoute } from '../contracts/workflow.ts';

/** A call that has to be made again this often for another model is made where it is. */
const mostRoutes = 4;

/** Which model of a turn is to be asked now. Plain and without Temporal. */
export class ModelChoice {
  /** The one asked last. */
  current: string;
  private readonly models: readonly string[];
  private readonly failed = new Set<string>();
  private readonly limits = new Map<string, number>();
  /** Taken in place of the first that could be asked, for what the conversation needs. */
  private routed: string | undefined;

  /** `models` are in the order of the user's wish; never empty. */
  constructor(models: readonly string[]) {
    this.models = models;
    this.current = models[0]!;
  }

  /** Undefined while all that have not failed are limited. */
  pick(now: number): string | undefined {
    const isFree = (name: string): boolean => !this.failed.has(name) && (this.limits.get(name) ?? 0) <= now;
    if (this.routed !== undefined && isFree(this.routed)) return this.routed;
    this.routed = undefined;
    return this.models.find(isFree);
  }

  /** Whether another than this one can be asked now. */
  hasOther(model: string, now: number): boolean {
    return this.models.some((name) => name !== model && !this.failed.has(name) && (this.limits.get(name) ?? 0) <= now);
  }

  /** When the first of those that are limited is free again. */
  freeAt(now: number): number {
    const times = this.models.filter((name) => !this.failed.has(name)).map((name) => this.limits.get(name) ?? 0);
    return Math.max(now, Math.min(...times));
  }

  /** What an activity has to know to send a call elsewhere; undefined when it has been sent about enough. */
  route(routes: number): ModelRoute | undefined {
    if (routes >= mostRoutes) return undefined;
    const chain = this.models.filter((name) => !this.failed.has(name));
    return { chain, limits: Object.fromEntries(this.limits), without: [...this.failed] };
  }

  takeInstead(model: string): void {
    this.routed = model;
  }

  limit(model: string, until: number): void {
    this.limits.set(model, until);
  }

  /** It failed for good. False when there is none left to go on with. */
  giveUp(model: string): boolean {
    this.failed.add(model);
    return this.models.some((name) => !this.failed.has(name));
  }
}
