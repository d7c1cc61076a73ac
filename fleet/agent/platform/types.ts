import type { ChildProcess } from 'node:child_process';
import type { PidMark } from '../process-tree.ts';
import type { AgentTiming } from '../timing.ts';

/** What the systems do differently with files and programs. */
export interface Host {
  /** File names that a program of this name can have on the PATH. */
  programNames(name: string): string[];
  /** How a program file is started: some are none, but scripts of a shell. */
  invocation(file: string, parameters: string[]): { file: string; parameters: string[]; verbatim?: boolean };
  /** Ends a program that leads a group of its own, with what it has started. */
  endGroup(pid: number): void;
  /** Variables without which programs do not run here. */
  variables(): Record<string, string>;
  /** Names of the variables that say where temporary files go. */
  temporary: string[];
  /** Claims a file for a holder, at once with its content; false when it is claimed already. */
  claim(file: string, holder: string): boolean;
  /** Throws ENOENT when nobody has claimed it. */
  claimant(file: string): string;
  /** Renames a file or a folder; what is there under the new name is replaced when it is a file. */
  rename(from: string, to: string): void;
  /** Copies with links, modes and times; on file systems that can, without copying the data. */
  copyTree(from: string, to: string): Promise<void>;
  /** Makes everything below a folder removable. */
  makeRemovable(folder: string): Promise<void>;
}

/** A step's command that is to run whatever becomes of the agent. */
export interface CommandStart {
  /** The run's folder, where `pid`, `exit` and `end` are found; the execution's folder is the one above. */
  run: string;
  shell: string;
  cwd: string;
  env: Record<string, string>;
  /** A line put in front of the output; empty for none. */
  heading: string;
  /** Gets the output, at its end. */
  log: string;
  timing: AgentTiming;
  timeoutMs: number;
  logLimitBytes: number;
}

export interface StartedCommand {
  /** The process that leads the command's, and writes its exit code. */
  leader: number | undefined;
  /** The same as a child of this process; without one its end shows in the run's folder alone. */
  child?: ChildProcess;
}

/** How the systems run commands that outlive the agent, and end them. */
export interface Commands {
  /** Throws `node.unsuitable` where the account may not do what follows. */
  check(): Promise<void>;
  /** Before the first command, so that no command is ever without one. Returns what ends it. */
  startWatchdog(root: string, timing: AgentTiming): () => void;
  start(command: CommandStart): Promise<StartedCommand>;
  /** To tell later processes from earlier ones; undefined where that cannot be told. */
  markPids(): PidMark | undefined;
  /** Ends all processes of a run or an execution, given by its folder, by force after the grace. Resolves when none is left that can be found. */
  endProcesses(folder: string, leader: number | undefined, graceMs: number, since?: PidMark): Promise<void>;
  /** Whether the process exists and belongs to the run or execution. */
  isProcessOf(folder: string, pid: number): boolean;
  /** Whether the process is a living agent that serves the folder. */
  isAgentOf(pid: number, root: string): boolean;
}
