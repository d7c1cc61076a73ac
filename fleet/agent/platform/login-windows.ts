import { win32 } from 'node:path';
import { HelixError } from '../../../contracts/error.ts';

/** Where the programs of Git for Windows are below its folder, those of its POSIX layer first: a step's command is written for them. */
const gitFolders = ['usr\\bin', 'mingw64\\bin', 'clangarm64\\bin', 'bin', 'cmd'];

/**
 * The PATH for steps: the account's own, after the folders of Git for Windows, which is found by its git.exe. `isThere` says whether a file is.
 * Throws `node.unsuitable` where there is no `sh.exe`.
 */
export function windowsPath(path: string, isThere: (file: string) => boolean): { path: string; shell: string } {
  const entries = path
    .split(';')
    .map((entry) => entry.replace(/^"(.*)"$/, '$1').replace(/(.)\\+$/, '$1'))
    .filter((entry) => win32.isAbsolute(entry));
  const git = entries.find((entry) => isThere(win32.join(entry, 'git.exe')));
  const above = git === undefined ? [] : [win32.dirname(git), win32.dirname(win32.dirname(git))];
  const own = above.filter((folder) => isThere(win32.join(folder, 'usr\\bin\\sh.exe'))).slice(0, 1);
  const folders = own.flatMap((folder) => gitFolders.map((name) => win32.join(folder, name)));
  const all = [...new Set([...folders, ...entries])];
  const shell = all.map((folder) => win32.join(folder, 'sh.exe')).find(isThere);
  if (shell !== undefined) return { path: all.join(';'), shell };
  throw new HelixError(
    'node.unsuitable',
    `there is no sh.exe on this machine (looked in ${entries.join(';')}): install Git for Windows there, with git on the PATH of the SSH server`,
  );
}
