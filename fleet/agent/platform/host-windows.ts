import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { linkSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { cp } from 'node:fs/promises';
import { isAlive } from '../process-tree.ts';
import type { Host } from './types.ts';

/** Set for every program by Windows itself, and in no list of what a step is to get. */
const needed =
  `ALLUSERSPROFILE APPDATA CommonProgramFiles CommonProgramFiles(x86) CommonProgramW6432 COMPUTERNAME ComSpec HOMEDRIVE
  HOMEPATH LOCALAPPDATA NUMBER_OF_PROCESSORS OS PATHEXT PROCESSOR_ARCHITECTURE ProgramData ProgramFiles ProgramFiles(x86) ProgramW6432
  PSModulePath PUBLIC SystemDrive SystemRoot TEMP TMP USERDOMAIN USERNAME USERPROFILE windir`.split(/\s+/);

const renameMs = 2000;

export const windowsHost: Host = {
  // What has no ending is a script for another system's shell, such as npm beside npm.cmd.
  programNames: (name) =>
    /\.\w{3}$/.test(name) ? [name] : ['.com', '.exe', '.bat', '.cmd'].map((ending) => name + ending),
  invocation: (file, parameters) => {
    if (!/\.(bat|cmd)$/i.test(file)) return { file, parameters };
    // The outer quotes are cmd's own to take away.
    const line = `"${[file, ...parameters].map((word) => `"${word}"`).join(' ')}"`;
    return { file: process.env.ComSpec ?? 'cmd.exe', parameters: ['/d', '/s', '/c', line], verbatim: true };
  },
  endGroup: (pid) => {
    // What an ended one has left cannot be found by it.
    if (!isAlive(pid)) return;
    spawn('taskkill', ['/T', '/F', '/PID', String(pid)], { stdio: 'ignore', windowsHide: true }).on('error', () => {});
  },
  variables: () =>
    Object.fromEntries(
      needed.flatMap((name): [string, string][] => {
        const value = process.env[name];
        return value === undefined ? [] : [[name, value]];
      }),
    ),
  temporary: ['TMPDIR', 'TEMP', 'TMP'],
  /** A symbolic link takes a privilege here; a file that gets its name when it is written is as whole. */
  claim: (file, holder) => {
    const draft = `${file}.${randomBytes(6).toString('hex')}`;
    writeFileSync(draft, holder);
    try {
      linkSync(draft, file);
      return true;
    } catch (error) {
      if (codeOf(error) === 'EEXIST') return false;
      throw error;
    } finally {
      rmSync(draft, { force: true });
    }
  },
  claimant: (file) => readFileSync(file, 'utf8'),
  /** Nothing is renamed in which a file is open, and a virus scanner opens what was just written. */
  rename: (from, to) => {
    for (const started = performance.now(); ;) {
      try {
        return renameSync(from, to);
      } catch (error) {
        const isBusy = ['EPERM', 'EACCES', 'EBUSY'].includes(codeOf(error));
        if (!isBusy || performance.now() - started > renameMs) throw error;
        Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 20);
      }
    }
  },
  copyTree: (from, to) => cp(from, to, { recursive: true, preserveTimestamps: true, verbatimSymlinks: true }),
  // Node removes what is read-only here by itself.
  makeRemovable: async () => {},
};

function codeOf(error: unknown): string {
  return (error as NodeJS.ErrnoException).code ?? '';
}
