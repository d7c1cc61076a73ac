import type { PartName } from './state.ts';

/** A program to run: what `spawn` is given. */
export interface Program {
  command: string;
  args: string[];
  env: NodeJS.ProcessEnv;
  cwd: string;
  uid?: number;
  gid?: number;
}

/** One embedded process of the stack, as the supervisor runs it. */
export interface Part {
  name: PartName;
  /** As `helix status` shows it. */
  address: string;
  /** Makes the part's files fit to start on, and says how to start it. Called before every start. */
  prepare: () => Promise<Program>;
  /** Whether it answers. */
  isReady: () => Promise<boolean>;
}

/** How a part is asked to end in good order, and how long it may take before it is killed. In the order of stopping. */
export const stopping: Readonly<Record<PartName, { signal: NodeJS.Signals; timeoutMs: number }>> = {
  helix: { signal: 'SIGTERM', timeoutMs: 15_000 },
  temporal: { signal: 'SIGTERM', timeoutMs: 10_000 },
  // PostgreSQL's fast shutdown: the polite one would wait for its clients.
  postgres: { signal: 'SIGINT', timeoutMs: 10_000 },
};
