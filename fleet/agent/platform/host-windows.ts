import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { linkSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { cp } from 'node:fs/promises';
import { hasCode } from '../layout.ts';
import type { Host } from './types.ts';

/** Set for every program by Windows itself, and in no list of what a step is to get. */
const needed =
  `ALLUSERSPROFILE APPDATA CommonProgramFiles CommonProgramFiles(x86) CommonProgramW6432 COMPUTERNAME ComSpec HOMEDRIVE
  HOMEPATH LOCALAPPDATA NUMBER_OF_PROCESSORS OS PATHEXT PROCESSOR_ARCHITECTURE ProgramData ProgramFiles ProgramFiles(x86) ProgramW6432
  PSModulePath PUBLIC SystemDrive SystemRoot TEMP TMP USERDOMAIN USERNAME USERPROFILE windir`.split(/\s+/);

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
      if (hasCode(error, 'EEXIST')) return false;
      throw error;
    } finally {
      rmSync(draft, { force: true });
    }
  },
  claimant: (file) => readFileSync(file, 'utf8'),
  copyTree: (from, to) => cp(from, to, { recursive: true, preserveTimestamps: true, verbatimSymlinks: true }),
  // Node removes what is read-only here by itself.
  makeRemovable: async () => {},
};
