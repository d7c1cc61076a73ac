// What the workflows of nodes and their activities hand each other. Types only, like workflow.ts.

/** The node belongs to another node-pool than the one that was asked. */
export interface Elsewhere {
  heldBy: string;
}

export interface NodeDrain {
  name: string;
  /** When what still runs is handed back; ISO 8601. */
  deadline: string;
}

/** What an examination of a node in quarantine came to. */
export interface NodeVerdict {
  passed: boolean;
  reason?: string;
}

export interface DrainRequest {
  /** How long what runs may go on. */
  limitMs: number;
  reason: string;
}

/** What a node's workflow goes on from in a new run. */
export interface NodeLifeState {
  /** When a node in quarantine is examined next; ISO 8601. */
  examineAt?: string;
  /** Between the last two examinations, or before the first. */
  intervalMs: number;
  /** When it was let out of quarantine; ISO 8601. */
  releasedAt?: string;
}

export interface NodeLifecycleInput {
  name: string;
  soFar?: NodeLifeState;
}

export interface NodeQuarantined {
  /** How long until the first examination of a node that was not in quarantine lately. */
  firstMs: number;
}
