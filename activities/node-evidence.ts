import type { StepResult, StepSpec } from '../contracts/step.ts';
import type { FleetNode } from '../fleet/node.ts';

/** Gathers what speaks against nodes. What comes of it is the business of whoever implements it. */
export interface NodeEvidence {
  /** A step ended on a node, well or not: others may have fared otherwise with an equal one. */
  ended(node: FleetNode, spec: StepSpec, result: StepResult): Promise<void>;
  /** A step failed on a node in a way that may be the node's own doing, and then passed on another one. */
  failedAlone(node: string, spec: StepSpec, reason: string): Promise<void>;
  /** A step could not be carried out on a node to its end. */
  broke(node: string, spec: StepSpec, error: unknown): Promise<void>;
}
