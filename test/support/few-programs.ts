import { execFileSync } from 'node:child_process';
import { mkdirSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';

/** What shell scripts of the fleet use. A machine that has little else is quickly asked for the versions of its programs. */
export const systemPrograms = ['sh', 'bash', 'env', 'uname', 'getconf', 'grep', 'sed', 'ls', 'mkdir', 'touch', 'rm', 'cat', 'wc', 'chmod', 'mv', 'sleep', 'find', 'tr', 'cp', 'seq', 'head', 'setsid']; // prettier-ignore

/** Programs of the system under their names in a folder of their own, as a PATH that has these alone. */
export function pathWith(dir: string, names: string[]): string {
  const folder = join(dir, 'programs');
  mkdirSync(folder);
  for (const name of names)
    symlinkSync(execFileSync('/bin/sh', ['-c', `command -v ${name}`], { encoding: 'utf8' }).trim(), join(folder, name));
  return folder;
}
