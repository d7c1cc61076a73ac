import type { NodeFacts } from '../contracts/node.ts';
import type { SnapshotId } from '../contracts/snapshot.ts';
import type { StepEnd, StepSpec } from '../contracts/step.ts';
import type { Beat, LinkState } from './node-link.ts';
import type { NodeProgram, RunningProgram } from './node-program.ts';

/** Abort reason that lets go of an execution and leaves its command running; `execute` rejects with it. */
export const DETACH: Error = Object.assign(new Error('let go of the execution; it goes on by itself'), {
  name: 'Detach',
});

export interface ExecuteOptions {
  /** Names the execution for ever: `[a-z0-9-]{1,100}`. The same id re-attaches and never runs the command twice. */
  executionId: string;
  spec: StepSpec;
  /** First byte of the log that the caller lacks. */
  logOffset: number;
  /** The command is ended with `log-limit` when its log grows beyond this many bytes; 64 MiB when left out. */
  logLimitBytes?: number;
  /** Gets the log in order and without gaps; the next chunk waits for the promise. All of it is delivered before `execute` resolves. */
  onLog(chunk: Uint8Array, offset: number): void | Promise<void>;
  /** The node has claimed the execution: from now on only this node may be asked for it. */
  onStarted?(): void;
  /**
   * Aborted with the reason `DETACH`: the command goes on and `execute` rejects with it. With any other reason: the process
   * group is ended and `execute` resolves with end `cancelled`.
   */
  signal: AbortSignal;
  /** Never start anything: reject with `step.not-found` when the node does not know the execution. */
  attachOnly?: boolean;
}

export interface ExecutionOutcome {
  end: StepEnd;
  /** Null unless `end` is `exited` or `install-failed`; 128 + signal number when a signal ended the command. */
  exitCode: number | null;
  /** The workspace after the command; the step's own snapshot when `end` is `cancelled`, `lease-expired` or `install-failed`. */
  snapshot: SnapshotId;
  /** The captured outputs; absent when none was declared or none existed. */
  outputs?: SnapshotId;
  logBytes: number;
  /** Of the command itself, without transfer, layers and capture. */
  durationMs: number;
}

/** A machine that runs steps: the controller's own or one reached by SSH. */
export interface FleetNode {
  readonly name: string;
  readonly facts: NodeFacts;
  /**
   * Runs a step, or re-attaches to it. Survives connection loss; after 10 s without success it rejects with `node.lost` and the
   * command goes on until its lease ends. When it resolves, all objects of the result are in the controller's store.
   */
  execute(options: ExecuteOptions): Promise<ExecutionOutcome>;
  /** Forgets an execution whose result is safely recorded. Idempotent. */
  release(executionId: string): Promise<void>;
  /** Detects again and updates `facts`. */
  probe(): Promise<NodeFacts>;
  /** Tells every change between reachable and not, a dead peer within 10 s. Returns a function that stops it. */
  onStateChange(listener: (state: LinkState) => void): () => void;
  /** Tells every few seconds how the machine is, as long as it answers. Returns a function that stops it. */
  onBeat(listener: (beat: Beat) => void): () => void;
  /** Tries out what every step needs: writing to the disk and running a program. Rejects with what is broken. */
  examine(): Promise<void>;
  /** Asks how the machine is now. Rejects with `node.lost` when it cannot be reached. */
  beat(): Promise<Beat>;
  /** Starts a program of Helix's own there, whose life ends with the connection. Rejects with `node.lost`. */
  openProgram(program: NodeProgram): Promise<RunningProgram>;
  /**
   * Ends what runs there and removes everything of Helix from the machine; the node is of no more use then. Returns what is left in its
   * folder because it is not Helix's. Rejects with `node.lost` when it cannot be reached.
   */
  purge(): Promise<string[]>;
  /** Closes the connection; commands go on. Waiting calls reject with `node.lost`. */
  close(): Promise<void>;
}
