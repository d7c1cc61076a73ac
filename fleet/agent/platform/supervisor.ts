import { spawn } from 'node:child_process';
import { appendFileSync, closeSync, openSync, readFileSync, rmSync, statSync, writeFileSync, writeSync } from 'node:fs';
import { constants } from 'node:os';
import { dirname, join } from 'node:path';
import { createOnce, readIfThere } from '../layout.ts';
import { isAlive } from '../process-tree.ts';
import { watchdogLimits } from '../timing.ts';
import type { CommandStart } from './types.ts';

/** What a supervisor is told, in the file `start.json` of the run's folder: variables may be secret, and a command line can be read by others. */
export interface SupervisorStart extends Omit<CommandStart, 'run'> {
  /** The program that understands the command. */
  sh: string;
  /** Where the supervisor itself finds programs. */
  path: string;
  /** Process id of the agent that asks for it. */
  agent: number;
}

/** Ends what a command has left, or all of it. */
export type EndProcesses = (folder: string, leader: number | undefined, graceMs: number) => Promise<void>;

/**
 * Runs one command to its end and outlives the agent: what the wrapper and the watchdog are elsewhere, in one process, by the same files in the
 * run's folder. Creating `pid` is the claim; an agent that finds a run without it voids the run by creating it first. Resolves with the exit
 * code of the supervisor.
 */
export async function supervise(run: string, endProcesses: EndProcesses): Promise<number> {
  const file = join(run, 'start.json');
  const start = JSON.parse(readFileSync(file, 'utf8')) as SupervisorStart;
  rmSync(file, { force: true });
  process.env.PATH = start.path;
  const limits = watchdogLimits(start.timing, start.timeoutMs, start.logLimitBytes);
  if (!createOnce(join(run, 'pid'), `${process.pid} ${limits.join(' ')}\n`)) return 125;
  const end = (): Promise<void> => endProcesses(run, process.pid, start.timing.graceSeconds * 1000);
  const before = Date.now();
  const { ended, leader } = runCommand(run, start);
  if (leader !== undefined) createOnce(join(run, 'child'), `${leader} ${before} ${Date.now()}\n`);
  const watching = watch(run, start, limits, end);
  createOnce(join(run, 'exit'), `${await ended}\n`);
  clearInterval(watching);
  // An agent does it itself, before it captures what the command has made.
  if (!isAlive(start.agent)) await end();
  return 0;
}

function runCommand(
  run: string,
  { sh, shell, cwd, env, heading, log }: SupervisorStart,
): {
  leader: number | undefined;
  ended: Promise<number>;
} {
  const output = openSync(log, 'a');
  try {
    if (heading !== '') writeSync(output, `${heading}\n`);
    // In a file, since the shell takes the quotes of a command line otherwise than Node gives them.
    const script = join(run, 'command');
    writeFileSync(script, shell);
    const child = spawn(sh, [script.replaceAll('\\', '/')], {
      cwd,
      env,
      stdio: ['ignore', output, output],
      windowsHide: true,
    });
    const ended = new Promise<number>((resolve) => {
      child.once('error', (error) => {
        appendFileSync(log, `helix: ${error.message}\n`);
        resolve(126);
      });
      child.once('exit', (code, signal) => resolve(signal ? 128 + constants.signals[signal] : (code ?? 1)));
    });
    return { leader: child.pid, ended };
  } finally {
    closeSync(output);
  }
}

/** Counts polls, never clocks: since the start, since the lease was last renewed, and since somebody decided to end it and did not. */
function watch(
  run: string,
  { timing, log }: SupervisorStart,
  [timeout, lease, blocks]: readonly [number, number, number],
  end: () => Promise<void>,
): NodeJS.Timeout {
  const patience = Math.ceil(timing.graceSeconds / timing.pollSeconds) + 3;
  let [age, still, decided] = [0, 0, 0];
  let last: string | undefined;
  let ending = false;
  return setInterval(() => {
    age += 1;
    const beat = readIfThere(join(dirname(run), 'lease')) ?? '';
    still = beat === last ? still + 1 : 0;
    last = beat;
    if (readIfThere(join(run, 'end'))) decided += 1;
    const reason =
      (age >= timeout && 'timeout') ||
      (still >= lease && 'lease-expired') ||
      ((statSync(log, { throwIfNoEntry: false })?.size ?? 0) > blocks * 512 && 'log-limit');
    if (ending || (!reason && decided < patience)) return;
    if (reason) createOnce(join(run, 'end'), `${reason}\n`);
    ending = true;
    void end()
      .catch(() => {})
      .then(() => (ending = false));
  }, timing.pollSeconds * 1000);
}
