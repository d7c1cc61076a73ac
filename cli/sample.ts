import { execFile } from 'node:child_process';
import { access, cp, mkdir, mkdtemp, readdir, rename, rm } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { promisify } from 'node:util';
import { HelixError } from '../contracts/error.ts';

const run = promisify(execFile);
const examples = join(import.meta.dirname, '..', 'examples');

interface Sample {
  /** A git repository of its own, kept between runs. */
  path: string;
  goal: string;
  /** As on the command line. */
  recipes: string[];
}

/** Makes a repository of the sample in the home folder, unless it is there. Throws `internal` when git cannot. */
export async function prepareSample(home: string): Promise<Sample> {
  const [name] = (await readdir(examples)).sort();
  const path = join(home, 'examples', name!);
  if (!(await exists(join(path, '.git')))) await copyAsRepository(join(examples, name!), path);
  return { path, goal: 'Show what HelixCode does', recipes: [] };
}

/** Puts the copy into its place only when it is whole: whoever is interrupted leaves nothing half made there. */
async function copyAsRepository(from: string, to: string): Promise<void> {
  await mkdir(join(to, '..'), { recursive: true });
  const draft = await mkdtemp(`${to}.`);
  try {
    await cp(from, draft, { recursive: true, filter: (source) => basename(source) !== 'node_modules' });
    await git(draft, 'init', '--quiet', '--initial-branch=main');
    await git(draft, 'add', '--all');
    await git(draft, 'commit', '--quiet', '--message', 'Sample');
    await rename(draft, to);
  } finally {
    await rm(draft, { recursive: true, force: true });
  }
}

async function git(folder: string, ...args: string[]): Promise<void> {
  const identity = ['-c', 'user.name=HelixCode', '-c', 'user.email=helix@localhost', '-c', 'commit.gpgSign=false'];
  try {
    await run('git', [...identity, ...args], {
      cwd: folder,
      env: {
        PATH: process.env['PATH'],
        HOME: folder,
        GIT_CONFIG_NOSYSTEM: '1',
        GIT_CEILING_DIRECTORIES: join(folder, '..'),
      },
    });
  } catch (error) {
    throw new HelixError('internal', `the sample repository cannot be made in ${folder}: ${(error as Error).message}`, {
      cause: error,
    });
  }
}

function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
