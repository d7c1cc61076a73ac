import { execFile } from 'node:child_process';
import { dirname } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** Programs' text never holds a lone start-of-heading in front of these words, so no file is left out of the listing. */
const nowhere = '\u0001helix lists every file\u0001';

/**
 * Regular files below `root` that match one of the git pathspecs and that .gitignore files do not exclude, as paths relative
 * to `root`. `git grep --no-index` needs no repository, runs no program a repository may name and follows no symlink.
 */
export async function listFiles(root: string, pathspecs: string[]): Promise<string[]> {
  const options = ['-c', 'safe.directory=*', '-c', 'core.fsmonitor=false', '-c', 'core.quotePath=false'];
  const grep = [
    'grep',
    '--no-index',
    '--exclude-standard',
    '--files-without-match',
    '-z',
    '-F',
    '-e',
    nowhere,
    '--',
    ...pathspecs,
  ];
  try {
    const { stdout } = await run('git', [...options, ...grep], {
      cwd: root,
      maxBuffer: 256 * 1024 * 1024,
      env: {
        PATH: process.env['PATH'],
        GIT_CONFIG_NOSYSTEM: '1',
        GIT_CONFIG_GLOBAL: '/dev/null',
        GIT_ATTR_NOSYSTEM: '1',
        // A repository around the workspace may ignore the workspace as a whole.
        GIT_CEILING_DIRECTORIES: dirname(root),
        LC_ALL: 'C',
      },
    });
    return stdout.split('\0').filter((path) => path !== '');
  } catch (error) {
    if ((error as { code?: unknown }).code === 1) return [];
    throw error;
  }
}
