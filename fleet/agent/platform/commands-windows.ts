import { execFile } from 'node:child_process';
import { existsSync, statSync, writeFileSync } from 'node:fs';
import { uptime } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { HelixError } from '../../../contracts/error.ts';
import { createOnce, readIfThere } from '../layout.ts';
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
  check: async () => {
    await powerShell.startFree([process.execPath, '--version'], dirname(process.argv[1]!));
  },
  // Every command's supervisor watches over it.
  startWatchdog: () => () => {},
  start: async (command) => ({ leader: await startSupervisor(command) }),
  markPids: () => undefined,
  endProcesses: (folder, _leader, graceMs) => endProcesses(folder, graceMs),
  isProcessOf: (folder, pid) => isAlive(pid) && runs(folder).some((run) => isClaimedBy(run, pid)),
  isAgentOf: (pid, root) => {
    if (!isAlive(pid)) return false;
    const line = readCommandLine(pid);
    return line.includes(' serve ') && line.includes(root);
  },
};

async function startSupervisor({ run, env, ...command }: CommandStart): Promise<number> {
  const sh = findProgram('sh', process.env.PATH ?? '');
  if (sh === undefined) throw new HelixError('node.unsuitable', 'there is no sh any more: install Git for Windows');
  const start: SupervisorStart = { ...command, env, sh, path: process.env.PATH ?? '', agent: process.pid };
  writeFileSync(join(run, 'start.json'), JSON.stringify(start));
  const pid = await powerShell.startFree([process.execPath, process.argv[1]!, 'run', run], dirname(process.argv[1]!));
  const file = join(run, 'pid');
  for (const until = performance.now() + startTimeoutMs; ; await sleep(10)) {
    const isOver = !isAlive(pid) || performance.now() > until;
    // It has its content a moment after its name.
    if (readIfThere(file)?.endsWith('\n')) return pid;
    // So that it does not begin after all.
    if (isOver && (createOnce(file, 'void\n') || !isAlive(pid)))
      throw new HelixError('node.unsuitable', `what runs commands did not start (process ${pid}, ${process.execPath})`);
  }
}

/**
 * Node cannot ask Windows what belongs together, so three things are put together: the shell of each run, by its file; what runs in the POSIX layer
 * of Git for Windows with the marker, whose parents are not what Windows says; and everything that came from one of these. What is
 * found once stays known, since ending a parent hides its children.
 */
async function endProcesses(folder: string, graceMs: number): Promise<void> {
  const started = performance.now();
  const seen = new Map<number, KnownProcess>();
  let isTold = false;
  for (let pause = 10; ; pause = Math.min(pause * 2, 250)) {
    const [listing, posix] = await Promise.all([powerShell.listProcesses(), posixProcesses(folder)]);
    const found = processesFrom([...shells(folder), ...posix, ...seen.values()], listing);
    const waiting = supervisors(folder, listing);
    if (found.length === 0 && waiting.length === 0) return;
    for (const { pid, started: at } of found) seen.set(pid, { pid, from: at, at });
    const elapsed = performance.now() - started;
    if (elapsed > graceMs) end(found);
    if (elapsed > graceMs + supervisorMs) end(waiting);
    // Not before all are known.
    if (!isTold) await posixProcesses(folder, 'TERM');
    isTold = true;
    await sleep(pause);
  }
}

/** Parents first: a shell whose program has ended goes on with the next one. */
function end(processes: ListedProcess[]): void {
  for (const { pid } of processes.toSorted((a, b) => a.started - b.started)) {
    try {
      process.kill(pid, 'SIGKILL');
    } catch {
      // It ended in between.
    }
  }
}

/** The clock by which Windows tells when a process was started is a tick behind. */
const tickMs = 50;

/** The shells of a run, or of all runs of an execution. */
function shells(folder: string): KnownProcess[] {
  return runs(folder).flatMap((run) => {
    const [pid = 0, before = 0, after = 0] = (readIfThere(join(run, 'child')) ?? '').trim().split(' ').map(Number);
    return pid > 1 ? [{ pid, from: before - tickMs, at: after }] : [];
  });
}

/** The supervisors that have not said how it ended, without this process. */
function supervisors(folder: string, listing: ListedProcess[]): ListedProcess[] {
  return runs(folder).flatMap((run) => {
    const file = join(run, 'pid');
    const pid = existsSync(join(run, 'exit')) ? 0 : Number.parseInt(readIfThere(file) ?? '', 10);
    const claimed = statSync(file, { throwIfNoEntry: false })?.mtimeMs ?? 0;
    return listing.filter((one) => one.pid === pid && one.started <= claimed && pid !== process.pid);
  });
}

function runs(folder: string): string[] {
  if (basename(folder).startsWith('run-')) return [folder];
  return namesIn(folder).flatMap((name) => (name.startsWith('run-') ? [join(folder, name)] : []));
}

/** Since the machine was started: process ids are used again after that. */
function isClaimedBy(run: string, pid: number): boolean {
  const file = join(run, 'pid');
  const claimed = statSync(file, { throwIfNoEntry: false })?.mtimeMs ?? 0;
  return Number.parseInt(readIfThere(file) ?? '', 10) === pid && claimed > Date.now() - uptime() * 1000;
}

/** Windows knows no signals; the programs of Git's POSIX layer do among themselves, and there a process's variables can be read. */
export const posixScript = `
for file in $(grep -lsF "${markerName}=$HELIX_FOLDER" /proc/[0-9]*/environ); do
  tr '\\0' '\\n' < "$file" | sed 's|$|\\\\|' | grep -qF "${markerName}=$HELIX_FOLDER\\\\" || continue
  one=\${file#/proc/}; one=\${one%/environ}
  if [ -r "/proc/$one/winpid" ]; then read -r pid < "/proc/$one/winpid"; else pid=$one; fi
  echo "$pid"
  [ -z "$HELIX_SIGNAL" ] || kill -s "$HELIX_SIGNAL" "$one"
done`;

/** Those that carry the marker of a run or of any run of an execution; they are sent the signal, if any. */
function posixProcesses(folder: string, signal = ''): Promise<KnownProcess[]> {
  const sh = findProgram('sh', process.env.PATH ?? '');
  if (sh === undefined) return Promise.resolve([]);
  const env = { ...process.env, HELIX_FOLDER: folder, HELIX_SIGNAL: signal };
  return new Promise((resolve) => {
    const child = execFile(sh, { env, timeout: 10_000, windowsHide: true }, (_error, output) => {
      const pids = output.split(/\s+/).map(Number);
      resolve(pids.filter((pid) => pid > 1).map((pid) => ({ pid, from: 0, at: Date.now() })));
    });
    // By its input: it takes the quotes of a command line otherwise than Node gives them.
    child.stdin?.on('error', () => {}).end(posixScript);
  });
}
