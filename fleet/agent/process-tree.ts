import { execFileSync } from 'node:child_process';
import { closeSync, existsSync, openSync, readdirSync, readFileSync, readSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';

/**
 * In the environment of everything that a run of an execution starts: the run's folder on the node, so that of two nodes on one machine each ends only
 * its own, and what watches over one run never what the next one has started.
 */
export const markerName = 'HELIX_RUN';

/** A moment, as far as the kernel tells it by the ids it gives to processes. */
export interface PidMark {
  /** The id given out last. */
  last: number;
  /** Processes and threads started since the machine was. */
  started: number;
}

/** To tell later processes from earlier ones; undefined where there is no /proc. */
export function markPids(): PidMark | undefined {
  if (!hasProc()) return undefined;
  return {
    last: Number(readFileSync('/proc/loadavg', 'latin1').trim().split(' ').at(-1)),
    started: Number(/^processes (\d+)/m.exec(readFileSync('/proc/stat', 'latin1'))?.[1]),
  };
}

/**
 * Whether a process of an id may have been started between two moments: ids up to `limit` are given out in a circle, and when that may have come round
 * to an id again, all may.
 */
export function startedBetween(before: PidMark, now: PidMark, limit: number): (pid: number) => boolean {
  if (!(now.started - before.started < limit / 2)) return () => true;
  if (now.last >= before.last) return (pid) => pid > before.last && pid <= now.last;
  return (pid) => pid > before.last || pid <= now.last;
}

/** So many names are sooner tried than all processes of the machine listed. */
const fewIds = 1000;

/** The ids that processes started since a moment may have; without one, those of all processes. Among them may be some of threads, or of nobody. */
function idsSince(before: PidMark | undefined): number[] {
  const now = before && markPids();
  if (now && now.last >= before.last && now.last - before.last < fewIds && now.started - before.started < fewIds)
    return Array.from({ length: now.last - before.last }, (_, index) => before.last + 1 + index);
  const listed = readdirSync('/proc').filter((name) => /^\d+$/.test(name)).map(Number); // prettier-ignore
  if (!now) return listed;
  return listed.filter(startedBetween(before, now, Number(readFileSync('/proc/sys/kernel/pid_max', 'latin1'))));
}

/**
 * The living processes that carry the marker of a run, or of any run of an execution, in their environment: the command, its children, and those that
 * left its process group and session; `since` spares those that were there before. Without /proc, only the group's leader can be found.
 */
export function markedProcesses(folder: string, leader: number | undefined, since?: PidMark): number[] {
  if (!hasProc()) return leader !== undefined && isAlive(leader) ? [leader] : [];
  const marker = Buffer.from(`${markerName}=${folder}`);
  return idsSince(since).filter((pid) => hasVariable(pid, marker) && !isThread(pid));
}

/** Whether the id is that of a thread other than its process's first. */
function isThread(id: number): boolean {
  try {
    return Number(/^Tgid:\s*(\d+)/m.exec(readFileSync(`/proc/${id}/status`, 'latin1'))?.[1]) !== id;
  } catch {
    return true;
  }
}

/** Used again for each process: there may be thousands to look at. */
const environment = Buffer.allocUnsafe(256 * 1024);

/** Whether the environment of a process has the variable, given as `NAME=folder`, with that folder or one below it. */
function hasVariable(pid: number, variable: Buffer): boolean {
  let file: number | undefined;
  try {
    file = openSync(`/proc/${pid}/environ`, 'r');
    let size = 0;
    for (let read = 1; read > 0 && size < environment.length; size += read)
      read = readSync(file, environment, size, environment.length - size, null);
    const content = size < environment.length ? environment.subarray(0, size) : readFileSync(`/proc/${pid}/environ`);
    const at = content.indexOf(variable);
    const next = content[at + variable.length];
    return (at === 0 || (at > 0 && content[at - 1] === 0)) && (next === 0 || next === 0x2f);
  } catch {
    // The process is gone or another user's.
    return false;
  } finally {
    if (file !== undefined) closeSync(file);
  }
}

/** Ends all processes of a run or an execution, given by its folder: TERM, then KILL after the grace. Resolves when none is left. */
export async function endProcesses(
  folder: string,
  leader: number | undefined,
  graceMs: number,
  since?: PidMark,
): Promise<void> {
  const started = performance.now();
  let signal: NodeJS.Signals | undefined = 'SIGTERM';
  for (let pause = 2; ; pause = Math.min(pause * 2, 50)) {
    const found = markedProcesses(folder, leader, since);
    if (found.length === 0) return;
    if (signal === undefined && performance.now() - started > graceMs) signal = 'SIGKILL';
    if (signal) {
      for (const pid of found) {
        if (pid === leader) send(-pid, signal);
        send(pid, signal);
      }
      // KILL is repeated: a process may fork between the look and the signal.
      if (signal === 'SIGTERM') signal = undefined;
    }
    await sleep(pause);
  }
}

export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

/** Whether the process exists and belongs to the run or execution; a reused process id does not. */
export function isProcessOf(folder: string, pid: number): boolean {
  if (!hasProc()) return isAlive(pid);
  return hasVariable(pid, Buffer.from(`${markerName}=${folder}`));
}

function send(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch {
    // It ended in between.
  }
}

function hasProc(): boolean {
  return process.platform === 'linux' && existsSync('/proc/self/environ');
}

/** Whether the process is a living agent that serves the folder. */
export function isAgentOf(pid: number, root: string): boolean {
  if (!isAlive(pid)) return false;
  try {
    const line =
      process.platform === 'linux'
        ? readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ')
        : execFileSync('ps', ['-o', 'args=', '-p', String(pid)], { encoding: 'utf8' });
    return line.includes(' serve ') && line.includes(root);
  } catch {
    return false;
  }
}
