// What the workflows of models on nodes and their activities hand each other. Types only, like workflow.ts.
import type { StopReason, Usage } from './llm.ts';

export interface NodeModelPull {
  node: string;
  /** As a user names it. */
  source: string;
}

export interface NodeModelName {
  node: string;
  /** In the node's store. */
  name: string;
}

export interface NodeModelQuestion {
  node: string;
  /** Blob hash of the request. */
  request: string;
  /** Under which id what it says is written down; see `StepLogs`. */
  log: string;
}

export interface NodeModelAsked {
  usage: Usage;
  stopReason: StopReason;
}
