import { spawn } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { endProcesses, isAgentOf, isProcessOf, markPids } from '../process-tree.ts';
import { watchdogScript, wrapperScript } from '../scripts.ts';
import { watchdogLimits } from '../timing.ts';
import type { Commands } from './types.ts';

/** While nothing runs, or the agent looks itself, the watchdog looks that much less often. */
const napPolls = 4;

export const posixCommands: Commands = {
  check: async () => {},
  /** In a session of its own. */
  startWatchdog: (root, { pollSeconds, graceSeconds }) => {
    const grace = Math.ceil(graceSeconds / pollSeconds);
    const numbers = [process.pid, pollSeconds, grace, napPolls, napPolls * pollSeconds].map(String);
    const parameters = ['-c', watchdogScript, 'sh', root, ...numbers];
    const watchdog = spawn('/bin/sh', parameters, { detached: true, stdio: 'ignore', cwd: '/' });
    watchdog.unref();
    return () => {
      try {
        if (watchdog.pid !== undefined) process.kill(-watchdog.pid, 'SIGKILL');
      } catch {
        // It has ended.
      }
    };
  },
  start: async ({ run, shell, cwd, env, heading, log, timing, timeoutMs, logLimitBytes }) => {
    const limits = watchdogLimits(timing, timeoutMs, logLimitBytes).join(' ');
    const output = openSync(log, 'a');
    try {
      const parameters = ['-c', wrapperScript, 'sh', run, shell, heading, limits];
      const child = spawn('/bin/sh', parameters, { cwd, env, detached: true, stdio: ['ignore', output, output] });
      child.unref();
      return { leader: child.pid, child };
    } finally {
      closeSync(output);
    }
  },
  markPids,
  endProcesses,
  isProcessOf,
  isAgentOf,
};
