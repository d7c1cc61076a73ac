import { execFile } from 'node:child_process';
import { cp, lstat, mkdir, mkdtemp, readFile, readdir, rename, rm } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { HelixError } from '../contracts/error.ts';

const run = promisify(execFile);
const workspace = fileURLToPath(new URL('./workspace', import.meta.url));

/**
 * Makes the sample repository at `targetDir`, with one commit that has the same id everywhere, and returns its absolute path.
 * A sample that is there already stays as it is, with whatever was done in it; one that git cannot read, or that has lost its
 * files, is made anew. Throws a HelixError when the folder holds something else.
 */
export async function prepareSample(targetDir: string): Promise<string> {
  const target = resolve(targetDir);
  if (await isUsable(target)) return target;
  await refuseForeign(target);
  await mkdir(dirname(target), { recursive: true });
  // Made aside and put in place at once: whoever sees the sample sees all of it.
  const draft = await mkdtemp(join(dirname(target), `.${basename(target)}-`));
  try {
    await cp(workspace, draft, { recursive: true, filter: (path) => !['node_modules', 'dist'].includes(basename(path)) });
    await commitAll(draft);
    await putInPlace(draft, target);
  } finally {
    await rm(draft, { recursive: true, force: true });
  }
  return target;
}

/** Another start may have been quicker, and its sample may be in use already: only a folder that is no sample is moved out of the way. */
async function putInPlace(draft: string, target: string): Promise<void> {
  for (let tries = 1; ; tries += 1) {
    try {
      return await rename(draft, target);
    } catch (error) {
      if (await isUsable(target)) return;
      if (tries === 5) throw error;
    }
    const aside = `${draft}-${tries}`;
    await rename(target, aside).catch(() => undefined);
    await rm(aside, { recursive: true, force: true });
  }
}

async function isUsable(target: string): Promise<boolean> {
  try {
    await lstat(join(target, '.git'));
    await lstat(join(target, 'package.json'));
    await git(target, 'rev-parse', '--quiet', '--verify', 'HEAD^{tree}');
    return true;
  } catch {
    return false;
  }
}

/** Only what is empty or recognisably a sample may be replaced. */
async function refuseForeign(target: string): Promise<void> {
  const entries = await readdir(target).catch((error: NodeJS.ErrnoException): string[] => {
    if (error.code === 'ENOENT') return [];
    throw new HelixError('usage.invalid', `${target} is no folder: the sample repository cannot be made there.`, { cause: error });
  });
  if (entries.length === 0 || entries.every((entry) => entry === '.git')) return;
  const sample = JSON.parse(await readFile(join(workspace, 'package.json'), 'utf8')) as { name: string };
  const manifest = await readFile(join(target, 'package.json'), 'utf8').catch(() => '');
  const hasPackages = entries.includes('packages') && entries.includes('tsconfig.base.json');
  if (manifest.includes(`"${sample.name}"`) || hasPackages) return;
  throw new HelixError('usage.invalid', `${target} holds something else than the sample repository: move it away, or name another folder.`);
}

async function commitAll(folder: string): Promise<void> {
  await git(folder, 'init', '--quiet', '--template=');
  await git(folder, 'symbolic-ref', 'HEAD', 'refs/heads/main');
  await git(folder, 'add', '--all');
  await git(folder, 'commit', '--quiet', '--no-verify', '--message', 'Parcel desk: prices for parcels');
}

async function git(folder: string, ...args: string[]): Promise<string> {
  const settings = ['core.hooksPath=/dev/null', 'core.fsmonitor=false', 'core.autocrlf=false', 'core.fileMode=true', 'safe.directory=*'];
  const { stdout } = await run('git', [...settings.flatMap((setting) => ['-c', setting]), ...args], {
    cwd: folder,
    env: {
      PATH: process.env['PATH'],
      GIT_CONFIG_NOSYSTEM: '1',
      GIT_CONFIG_GLOBAL: '/dev/null',
      GIT_ATTR_NOSYSTEM: '1',
      // A repository around the folder is not the sample.
      GIT_CEILING_DIRECTORIES: dirname(folder),
      GIT_AUTHOR_NAME: 'HelixCode',
      GIT_AUTHOR_EMAIL: 'sample@helixcode.invalid',
      GIT_AUTHOR_DATE: '@1700000000 +0000',
      GIT_COMMITTER_NAME: 'HelixCode',
      GIT_COMMITTER_EMAIL: 'sample@helixcode.invalid',
      GIT_COMMITTER_DATE: '@1700000000 +0000',
    },
  });
  return stdout;
}
