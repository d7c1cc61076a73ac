import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';

/** In the environment of everything that an execution starts: its folder on the node, so that of two nodes on one machine each ends only its own. */
export const markerName = 'HELIX_EXECUTION';

/** The processes there are now, to tell later ones from them; empty where there is no /proc. */
export function listProcesses(): Set<string> {
  if (!hasProc()) return new Set();
  return new Set(readdirSync('/proc').filter((name) => name.charCodeAt(0) <= 57));
}

/**
 * The living processes that carry the execution's marker in their environment: the command, its children, and those that left its
 * process group and session. Without /proc, only the group's leader can be found.
 */
export function markedProcesses(
  folder: string,
  leader: number | undefined,
  before: ReadonlySet<string> = new Set(),
): number[] {
  if (!hasProc()) return leader !== undefined && isAlive(leader) ? [leader] : [];
  const marker = Buffer.from(`${markerName}=${folder}\0`);
  const found: number[] = [];
  for (const name of listProcesses()) {
    if (before.has(name)) continue;
    try {
      const environment = readFileSync(`/proc/${name}/environ`);
      const at = environment.indexOf(marker);
      if (at === 0 || (at > 0 && environment[at - 1] === 0)) found.push(Number(name));
    } catch {
      // The process is gone or another user's.
    }
  }
  return found;
}

/** Ends all processes of an execution: TERM, then KILL after the grace. Resolves when none is left. */
export async function endProcesses(
  folder: string,
  leader: number | undefined,
  graceMs: number,
  before?: ReadonlySet<string>,
): Promise<void> {
  const started = performance.now();
  let signal: NodeJS.Signals | undefined = 'SIGTERM';
  for (let pause = 2; ; pause = Math.min(pause * 2, 50)) {
    const found = markedProcesses(folder, leader, before);
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

/** Whether the process exists and belongs to the execution; a reused process id does not. */
export function isProcessOf(folder: string, pid: number): boolean {
  if (!hasProc()) return isAlive(pid);
  try {
    return readFileSync(`/proc/${pid}/environ`, 'latin1').split('\0').includes(`${markerName}=${folder}`);
  } catch {
    return false;
  }
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
