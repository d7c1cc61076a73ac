import type { ProjectId } from '../contracts/snapshot.ts';
import type { SnapshotStore } from '../snapshots/store.ts';
import type { Tenure } from './agent/protocol.ts';
import type { AgentTiming } from './agent/timing.ts';
import type { LinkTiming } from './node-link.ts';

/** The part of a logger that is used here; pino's fits. */
export interface NodeLogger {
  debug(details: object, message: string): void;
  warn(details: object, message: string): void;
}

export interface NodeOptions {
  name: string;
  /** The controller's own store of a project: where steps come from and results go. */
  stores: (project: ProjectId) => Promise<SnapshotStore>;
  logger?: NodeLogger;
  /** Keeps whoever held the node before from starting anything there. */
  tenure?: Tenure | undefined;
  /** What the node's cache may take up; half of its disk when left out. */
  cacheBytes?: number | undefined;
  /** How the node watches over commands, and the controller over the node; what is left out has its default. */
  timing?: Partial<AgentTiming & LinkTiming>;
}
