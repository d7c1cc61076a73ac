import { execFile } from 'node:child_process';
import { readlinkSync, renameSync, symlinkSync } from 'node:fs';
import { promisify } from 'node:util';
import type { Host } from './types.ts';

const run = promisify(execFile);

export const posixHost: Host = {
  programNames: (name) => [name],
  invocation: (file, parameters) => ({ file, parameters }),
  endGroup: (pid) => {
    try {
      process.kill(-pid, 'SIGKILL');
    } catch {
      // All of it has ended.
    }
  },
  variables: () => ({}),
  temporary: ['TMPDIR'],
  /** A symbolic link is made in one step, with what it says. */
  claim: (file, holder) => {
    try {
      symlinkSync(holder, file);
      return true;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
      throw error;
    }
  },
  claimant: (file) => readlinkSync(file),
  rename: renameSync,
  copyTree: async (from, to) => {
    const flags = process.platform === 'linux' ? ['-a', '--reflink=auto'] : ['-a'];
    try {
      await run('cp', [...flags, from, to], { maxBuffer: 1 << 20 });
    } catch (error) {
      // BusyBox knows no --reflink.
      if (!/unrecognized option|invalid option/.test(String(error)) || flags.length === 1) throw error;
      await run('cp', ['-a', from, to], { maxBuffer: 1 << 20 });
    }
  },
  makeRemovable: async (folder) => {
    await run('chmod', ['-R', 'u+rwX', folder]);
  },
};
