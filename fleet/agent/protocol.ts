import type { StepSpec } from '../../contracts/step.ts';
import type { EvictedThings } from './node-cache.ts';
import type { AgentTiming } from './timing.ts';

/** What the controller and the agent say to each other; both are always of the same version, the agent being uploaded by its hash. */
export interface ConfigureRequest {
  /** The node's name, for messages. */
  name: string;
  tenure?: Tenure;
  /** What the node's cache may take up; half of the disk when left out. */
  cacheBytes?: number | undefined;
}

/** Which of the node-pools that a node has belonged to, one after the other, this is. An agent refuses work when it has heard of a later one. */
export interface Tenure {
  /** Of the node with a controller: a machine may belong to several. Letters, digits and dashes. */
  registration: string;
  epoch: number;
}

export interface PingRequest {
  /** The answer says how busy the machine is. */
  sample?: boolean;
}

/** How a machine is at a moment; see NodeMetrics for the units. */
export interface AgentSample {
  /** Milliseconds since 1970, by the node's own clock. */
  at: number;
  cpu: number;
  load: number;
  memoryFree: number;
  diskFree: number;
  diskTotal: number;
  /** Executions that have not ended, whoever has asked for them. */
  running: string[];
  /** Executions whose results lie there. */
  ended: string[];
  /** What the node had and has no longer, for some samples; absent for nothing. */
  evicted?: EvictedThings;
}

export interface ExecuteRequest {
  executionId: string;
  spec: StepSpec;
  logOffset: number;
  logLimitBytes: number;
  attachOnly: boolean;
  /** End it instead of running it. */
  cancelled: boolean;
  /** Names the caller; it stays the same over its reconnections. */
  controller: string;
  /** The caller had this execution already and lost the connection. */
  again: boolean;
  /** The controller's own store, when the node is the controller's machine. */
  sharedStore?: string;
}

/** From the agent during `execute`. */
export type ExecuteEvent =
  | { type: 'claimed' }
  /** The node lacks these; it has the `known` ones. The controller answers with an event `PackOffer` and the pack as data. */
  | { type: 'need'; ids: string[]; known: string[] };

export interface PackOffer {
  ids: string[];
  known: string[];
}

export interface FetchRequest {
  project: string;
  ids: string[];
  known: string[];
  sharedStore?: string;
}

export interface ServeOptions {
  root: string;
  timing: AgentTiming;
}

/** The agent prints this on a line of its own before the first frame, so that whatever start-up files print is passed over. */
export const readyLine = '@@helix-agent-ready@@\n';
