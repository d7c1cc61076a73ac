import { execFile } from 'node:child_process';
import { existsSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { HelixError } from '../../../contracts/error.ts';
import { hasCode, readIfThere } from '../layout.ts';
import { isAlive, markerName } from '../process-tree.ts';
import { findProgram } from '../run-program.ts';
import { namesIn } from '../set-aside.ts';
import type { CommandStart, Commands } from './types.ts';
import { PowerShell, readCommandLine } from './powershell.ts';
import { type KnownProcess, type ListedProcess, processesFrom } from './process-listing.ts';
import type { SupervisorStart } from './supervisor.ts';

const startTimeoutMs = 30_000;
/** What a supervisor is given to write the exit code once its command was ended by force. */
const supervisorMs = 5000;

const powerShell = new PowerShell();

export const windowsCommands: Commands = {
  // Every command's supervisor watches over it.
  startWatchdog: () => () => {},
  start: async (command) => ({ leader: await startSupervisor(command) }),
  listProcesses: () => new Set(),
  endProcesses: (folder, _leader, graceMs) => endProcesses(folder, graceMs),
  isProcessOf: (_folder, pid) => isAlive(pid),
  isAgentOf: (pid, root) => {
    if (!isAlive(pid)) return false;
    const line = readCommandLine(pid);
    return line.includes(' serve ') && line.includes(root);
  },
};

async function startSupervisor({ run, env, ...command }: CommandStart): Promise<number> {
  const sh = findProgram('sh', process.env.PATH ?? '');
  if (sh === undefined) throw new HelixError('node.unsuitable', 'there is no sh any more: install Git for Windows');
  const start: SupervisorStart = { ...command, env, sh, agent: process.pid };
  writeFileSync(join(run, 'start.json'), JSON.stringify(start));
  const pid = await powerShell.startFree([process.execPath, process.argv[1]!, 'run', run], dirname(process.argv[1]!));
  const until = performance.now() + startTimeoutMs;
  // Its file has its content a moment after its name.
  while (!readIfThere(join(run, 'pid'))?.endsWith('\n')) {
    if (!isAlive(pid) || performance.now() > until)
      throw new HelixError('node.unsuitable', `what runs commands did not start (process ${pid}, ${process.execPath})`);
    await sleep(10);
  }
  return pid;
}

/**
 * Node cannot ask Windows what belongs together, so three things are put together: the shell of each run, by its file; what runs in the POSIX layer
 * of Git for Windows with the execution's marker, whose parents are not what Windows says; and everything that came from one of these. What is found once stays known, since ending a parent hides its children.
 */
async function endProcesses(folder: string, graceMs: number): Promise<void> {
  const started = performance.now();
  const seen = new Map<number, KnownProcess>();
  let asked = false;
  for (let pause = 10; ; pause = Math.min(pause * 2, 250)) {
    const [listing, posix] = await Promise.all([powerShell.listProcesses(), signalPosix(folder, asked ? '' : 'TERM')]);
    const found = processesFrom([...runProcesses(folder, 'child'), ...posix, ...seen.values()], listing);
    const supervisors = runProcesses(folder, 'pid');
    const waiting = listing.filter(({ pid, started: at }) =>
      supervisors.some((one) => one.pid === pid && at <= one.at),
    );
    if (found.length === 0 && waiting.length === 0) return;
    for (const { pid, started: at } of found) seen.set(pid, { pid, from: at, at });
    const elapsed = performance.now() - started;
    if (elapsed > graceMs) end(found);
    if (elapsed > graceMs + supervisorMs) end(waiting);
    asked = true;
    await sleep(pause);
  }
}

function end(processes: ListedProcess[]): void {
  for (const { pid } of processes) {
    try {
      process.kill(pid, 'SIGKILL');
    } catch {
      // It ended in between.
    }
  }
}

/** The processes that the files of this name tell of, in all runs of an execution: supervisors that have not ended, or shells. */
function runProcesses(folder: string, name: 'pid' | 'child'): KnownProcess[] {
  return namesIn(folder).flatMap((entry) => {
    if (!entry.startsWith('run-') || (name === 'pid' && existsSync(join(folder, entry, 'exit')))) return [];
    try {
      const file = join(folder, entry, name);
      const pid = Number.parseInt(readIfThere(file) ?? '', 10);
      const from = Math.floor(statSync(join(folder, entry)).birthtimeMs);
      return pid > 1 && pid !== process.pid ? [{ pid, from, at: Math.ceil(statSync(file).mtimeMs) }] : [];
    } catch (error) {
      if (hasCode(error, 'ENOENT', 'ENOTDIR')) return [];
      throw error;
    }
  });
}

/** Windows knows no signals; the programs of Git's POSIX layer do among themselves, and there a process's variables can be read. */
export const posixScript = `
for file in $(grep -lsF "${markerName}=$HELIX_FOLDER" /proc/[0-9]*/environ); do
  tr '\\0' '\\n' < "$file" | grep -qxF "${markerName}=$HELIX_FOLDER" || continue
  one=\${file#/proc/}; one=\${one%/environ}
  if [ -r "/proc/$one/winpid" ]; then read -r pid < "/proc/$one/winpid"; else pid=$one; fi
  echo "$pid"
  [ -z "$HELIX_SIGNAL" ] || kill -s "$HELIX_SIGNAL" "$one"
done`;

/** Signals those that carry the execution's marker, with a name of a signal, and says which they are. */
function signalPosix(folder: string, signal: string): Promise<KnownProcess[]> {
  const sh = findProgram('sh', process.env.PATH ?? '');
  if (sh === undefined) return Promise.resolve([]);
  const env = { ...process.env, HELIX_FOLDER: folder, HELIX_SIGNAL: signal };
  return new Promise((resolve) => {
    execFile(sh, ['-c', posixScript], { env, timeout: 10_000, windowsHide: true }, (_error, output) => {
      const pids = output.split(/\s+/).map(Number);
      resolve(pids.filter((pid) => pid > 1).map((pid) => ({ pid, from: 0, at: Date.now() })));
    });
  });
}
