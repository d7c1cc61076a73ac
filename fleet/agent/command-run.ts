import type { ChildProcess } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, statSync, truncateSync } from 'node:fs';
import { appendFile } from 'node:fs/promises';
import { constants } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { HelixError } from '../../contracts/error.ts';
import type { StepEnd } from '../../contracts/step.ts';
import { createOnce, hasCode, readIfThere } from './layout.ts';
import { Pace } from './pace.ts';
import { commands } from './platform/commands.ts';
import { markerName, type PidMark } from './process-tree.ts';
import type { AgentTiming } from './timing.ts';

/** Why a run was ended by the node. */
export type StopReason = Exclude<StepEnd, 'exited' | 'install-failed'>;

export interface CommandRunOptions {
  /** The execution's folder. */
  folder: string;
  /** Names the run within the execution: `layer-<place>` or `command`. */
  name: string;
  shell: string;
  cwd: string;
  env: Record<string, string>;
  /** A line put in front of the output; empty for none. */
  heading: string;
  timeoutMs: number;
  logLimitBytes: number;
  timing: AgentTiming;
}

export interface RunResult {
  end: 'exited' | StopReason;
  /** Null unless the command exited. */
  exitCode: number | null;
  durationMs: number;
}

const pollMs = 25;

/**
 * One command of an execution, in a session of its own, with its output and exit code in files: it neither notices nor minds the
 * death of the agent that started it. Started and awaited by `finish`, once; a later agent picks it up the same way.
 */
export class CommandRun {
  readonly #options: CommandRunOptions;
  #folder = '';
  readonly #log: string;
  #stopping: Promise<void> | undefined;
  #leader: number | undefined;
  #stopAtStart: StopReason | undefined;
  #since: PidMark | undefined;

  constructor(options: CommandRunOptions) {
    this.#options = options;
    this.#log = join(options.folder, 'log');
  }

  /** Runs the command, or waits for the one that an earlier agent started. Resolves when no process of it is left. */
  async finish(): Promise<RunResult> {
    const adopted = await this.#adopt();
    const child = adopted ? undefined : await this.#start();
    const exit = child ? this.#watchChild(child) : this.#watchAdopted();
    if (this.#stopAtStart) void this.stop(this.#stopAtStart);
    const stopWatching = this.#watchLogLimit();
    const timeLimit = setTimeout(() => void this.stop('timeout'), Math.max(0, this.#remainingMs(adopted)));
    try {
      const result = await exit;
      const end = result.lost ? this.#decide('lease-expired') : (this.#readEnd() ?? 'exited');
      await this.#stopping;
      await this.#endLeftovers();
      await this.#closeLog(end);
      return { end, exitCode: end === 'exited' ? result.code : null, durationMs: Math.round(result.durationMs) };
    } finally {
      stopWatching();
      clearTimeout(timeLimit);
    }
  }

  /** Ends the command for the given reason, unless it has ended already or something else ends it. */
  stop(reason: StopReason): Promise<void> {
    if (this.#leader === undefined) {
      this.#stopAtStart = reason;
      return Promise.resolve();
    }
    if (!this.#stopping && !readExit(this.#folder)) {
      this.#decide(reason);
      const { folder, timing } = this.#options;
      this.#stopping = commands.endProcesses(folder, this.#leader, timing.graceSeconds * 1000);
    }
    return this.#stopping ?? Promise.resolve();
  }

  /** The first to create `end` says why the run was ended; watchdog, caller and time limit may come at once. */
  #decide(proposed: StopReason): StopReason {
    createOnce(join(this.#folder, 'end'), `${proposed}\n`);
    return this.#readEnd() ?? proposed;
  }

  /** Why the node ended the run; undefined when it ended by itself. */
  #readEnd(): StopReason | undefined {
    return (readIfThere(join(this.#folder, 'end'))?.trim() || undefined) as StopReason | undefined;
  }

  /**
   * Whether an earlier agent's command took place or is running. A run that an earlier agent prepared but never started is voided
   * by creating its `pid` first; its wrapper, should it still come, leaves, and the run is made anew in the next folder.
   */
  async #adopt(): Promise<boolean> {
    for (let attempt = 0; ; attempt += 1) {
      this.#folder = runFolder(this.#options.folder, this.#options.name, attempt);
      if (!existsSync(this.#folder)) {
        mkdirSync(this.#folder);
        return false;
      }
      const file = join(this.#folder, 'pid');
      if (createOnce(file, 'void\n')) continue;
      // It may be seen before its content; after a while there was no room on the disk for that.
      for (let wait = 0; wait < 200 && readIfThere(file) === ''; wait += 1) await sleep(5);
      const pid = Number.parseInt(readIfThere(file) ?? '', 10);
      if (Number.isNaN(pid)) continue;
      this.#leader = pid;
      if (existsSync(join(this.#folder, 'end'))) void this.stop('cancelled');
      return true;
    }
  }

  /** Undefined where the command is nobody's child. */
  async #start(): Promise<ChildProcess | undefined> {
    const { folder: _folder, name: _name, ...command } = this.#options;
    this.#since = commands.markPids();
    try {
      const env = { ...command.env, [markerName]: this.#folder };
      const { leader, child } = await commands.start({ ...command, env, run: this.#folder, log: this.#log });
      this.#leader = leader;
      return child;
    } catch (error) {
      if (!hasCode(error, 'E2BIG')) throw error;
      throw new HelixError(
        'usage.invalid',
        `the command is too long for the node's system (${command.shell.length} characters): put it into a script`,
      );
    }
  }

  #watchChild(child: ChildProcess): Promise<Exit> {
    const started = performance.now();
    return new Promise((resolve, reject) => {
      child.once('error', reject);
      child.once('exit', (code, signal) => {
        const written = readExit(this.#folder);
        if (!written && readIfThere(join(this.#folder, 'pid')) === '') {
          reject(new Error(`No space left on device: ${this.#folder}`));
          return;
        }
        const fallback = signal ? 128 + (constants.signals[signal] ?? 0) : (code ?? 1);
        resolve({ code: written?.code ?? fallback, durationMs: performance.now() - started, lost: false });
      });
    });
  }

  async #watchAdopted(): Promise<Exit> {
    const started = statSync(join(this.#folder, 'pid')).mtimeMs;
    const leader = this.#leader!;
    return new Promise((resolve, reject) => {
      const look = (): void => {
        try {
          const alive = commands.isProcessOf(this.#options.folder, leader);
          const exit = readExit(this.#folder);
          if (!exit && alive) {
            setTimeout(look, pollMs);
            return;
          }
          const ended = exit ? statSync(join(this.#folder, 'exit')).mtimeMs : Date.now();
          resolve({ code: exit?.code ?? null, durationMs: Math.max(0, ended - started), lost: exit?.code == null });
        } catch (error) {
          reject(error);
        }
      };
      look();
    });
  }

  #remainingMs(adopted: boolean): number {
    const { timeoutMs } = this.#options;
    const remaining = adopted ? timeoutMs - (Date.now() - statSync(join(this.#folder, 'pid')).mtimeMs) : timeoutMs;
    return Math.min(remaining, 2 ** 31 - 1);
  }

  #watchLogLimit(): () => void {
    const pace = new Pace();
    let timer: NodeJS.Timeout;
    let before = 0;
    const look = (): void => {
      const { size } = statSync(this.#log);
      if (size > this.#options.logLimitBytes) void this.stop('log-limit');
      timer = setTimeout(look, pace.next(size > before));
      before = size;
    };
    look();
    return () => clearTimeout(timer);
  }

  /** "Forks and exits": whatever the command left behind ends before the workspace is captured. */
  async #endLeftovers(): Promise<void> {
    const { folder, timing } = this.#options;
    await commands.endProcesses(folder, this.#leader, Math.min(1, timing.graceSeconds) * 1000, this.#since);
  }

  /** Cuts the log at its limit and says why the node ended the command. May be done twice with the same result. */
  async #closeLog(end: RunResult['end']): Promise<void> {
    const { logLimitBytes, timeoutMs, timing } = this.#options;
    const sizeFile = join(this.#folder, 'log-size');
    if (end === 'exited') return;
    createOnce(sizeFile, `${Math.min(statSync(this.#log).size, logLimitBytes)}\n`);
    const size = Number(readIfThere(sizeFile));
    truncateSync(this.#log, size);
    const reasons: Record<StopReason, string> = {
      timeout: `ended after its time limit of ${formatSeconds(timeoutMs / 1000)}`,
      'log-limit': `ended because it printed more than ${formatBytes(logLimitBytes)}`,
      'lease-expired': `ended because nobody had asked for it for ${formatSeconds(timing.leaseSeconds)}, or the node restarted`,
      cancelled: 'ended because it was cancelled',
    };
    await appendFile(this.#log, `\nhelix: ${reasons[end]}\n`);
  }
}

function runFolder(folder: string, name: string, attempt: number): string {
  return join(folder, `run-${name}.${attempt}`);
}

/** Whether an agent has begun to run this, or, without a name, anything, for the execution. */
export function hasRun(folder: string, name?: string): boolean {
  if (name !== undefined) return existsSync(runFolder(folder, name, 0));
  try {
    return readdirSync(folder).some((entry) => entry.startsWith('run-'));
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return false;
    throw error;
  }
}

interface Exit {
  code: number | null;
  durationMs: number;
  lost: boolean;
}

/** The exit code once it is completely written; code null for a run whose wrapper vanished. */
function readExit(folder: string): { code: number | null } | undefined {
  const text = readIfThere(join(folder, 'exit'));
  if (!text?.endsWith('\n')) return undefined;
  const code = Number.parseInt(text, 10);
  return { code: Number.isNaN(code) ? null : code };
}

function formatSeconds(seconds: number): string {
  return seconds >= 120 ? `${Math.round(seconds / 60)} min` : `${seconds} s`;
}

function formatBytes(bytes: number): string {
  return bytes >= 1024 * 1024 ? `${Math.round(bytes / 1024 / 1024)} MiB` : `${bytes} bytes`;
}
