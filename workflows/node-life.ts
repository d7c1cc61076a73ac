import type { DrainRequest, NodeLifeState } from '../contracts/node-workflow.ts';

export interface Drain extends DrainRequest {
  /** Milliseconds since 1970. */
  deadline: number;
  /** The node is forgotten afterwards. */
  retires: boolean;
}

const longestIntervalMs = 60 * 60_000;
/** A node that has behaved for so long begins anew with the shortest interval. */
const goodConductMs = 24 * 60 * 60_000;

/** What is to be done about a node, and when: a plain state machine, told the time. */
export class NodeLife {
  removed = false;
  drain: Drain | undefined;
  private readonly state: NodeLifeState;

  constructor(soFar: NodeLifeState = { intervalMs: 0 }) {
    this.state = { ...soFar };
  }

  get soFar(): NodeLifeState {
    return { ...this.state };
  }

  get isInQuarantine(): boolean {
    return this.state.examineAt !== undefined;
  }

  startDrain(request: DrainRequest, retires: boolean, now: number): void {
    this.drain = { ...request, retires, deadline: now + request.limitMs };
  }

  /** Each time that a node comes back soon it waits twice as long as the time before. */
  quarantine(firstMs: number, now: number): void {
    if (this.isInQuarantine) return;
    const { releasedAt, intervalMs } = this.state;
    const isRelapse = releasedAt !== undefined && now - Date.parse(releasedAt) < goodConductMs;
    this.wait(isRelapse ? intervalMs * 2 : firstMs, now);
  }

  /** The examination found the node still broken. */
  stay(now: number): void {
    this.wait(this.state.intervalMs * 2, now);
  }

  /** The node is out of quarantine, by an examination or by a user's word. */
  release(now: number): void {
    delete this.state.examineAt;
    this.state.releasedAt = new Date(now).toISOString();
  }

  /** Milliseconds until something is to be done by itself; undefined when only a message can bring something to do. */
  msUntilDue(now: number): number | undefined {
    const { examineAt } = this.state;
    return examineAt === undefined ? undefined : Math.max(0, Date.parse(examineAt) - now);
  }

  /** For people who look at the workflow. */
  describe(): string {
    if (this.removed) return 'The node is on record no more.';
    const parts: string[] = [];
    if (this.drain) {
      const until = new Date(this.drain.deadline).toISOString();
      parts.push(`Draining until ${until} at most${this.drain.retires ? ', then it goes' : ''}: ${this.drain.reason}`);
    }
    if (this.state.examineAt) parts.push(`In quarantine; examined next at ${this.state.examineAt}`);
    return parts.join('\n\n') || 'Nothing is to be done about it.';
  }

  private wait(intervalMs: number, now: number): void {
    this.state.intervalMs = Math.min(Math.max(1, intervalMs), longestIntervalMs);
    this.state.examineAt = new Date(now + this.state.intervalMs).toISOString();
  }
}
