import { mkdir, readdir, rename, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { succeed } from './stack.ts';

/** Writes files (paths with `/`) below a folder. */
export async function writeFiles(dir: string, files: Record<string, string>): Promise<void> {
  for (const [path, content] of Object.entries(files)) {
    await mkdir(dirname(join(dir, path)), { recursive: true });
    await writeFile(join(dir, path), content);
  }
}

/** Makes the folder a git repository with everything in it committed. */
export async function commitAll(dir: string): Promise<string> {
  const git = (...args: string[]): Promise<string> =>
    succeed('git', ['-c', 'user.name=Test', '-c', 'user.email=test@example.com', ...args], { cwd: dir });
  await git('init', '-q', '-b', 'main');
  await git('add', '-A', '-f');
  await git('commit', '-q', '-m', 'Initial');
  return (await git('rev-parse', 'HEAD')).trim();
}

export async function makeRepository(dir: string, files: Record<string, string>): Promise<string> {
  await mkdir(dir, { recursive: true });
  await writeFiles(dir, files);
  await commitAll(dir);
  return dir;
}

/** A package as its author published it, from the npm registry, as a git repository. */
export async function npmPackage(dir: string, spec: string): Promise<string> {
  await mkdir(dir, { recursive: true });
  const tarball = (await succeed('npm', ['pack', '--silent', spec], { cwd: dir })).trim().split('\n').at(-1)!;
  await unpack(tarball, dir);
  const repository = join(dir, 'package');
  await commitAll(repository);
  return repository;
}

/** A source distribution as its author published it, from PyPI, as a git repository. */
export async function pythonSource(dir: string, spec: string): Promise<string> {
  await mkdir(dir, { recursive: true });
  await succeed('python3', [
    '-m',
    'pip',
    'download',
    '--quiet',
    '--no-deps',
    '--no-binary',
    ':all:',
    '--dest',
    dir,
    spec,
  ]);
  const [tarball] = (await readdir(dir)).filter((name) => name.endsWith('.tar.gz'));
  await unpack(tarball!, dir);
  const repository = join(dir, 'source');
  await rename(join(dir, tarball!.replace(/\.tar\.gz$/, '')), repository);
  await commitAll(repository);
  return repository;
}

/** The files belong to who unpacks them: as root, tar would keep the owners of the archive, whose repositories git refuses. */
async function unpack(tarball: string, dir: string): Promise<void> {
  await succeed('tar', ['xzf', tarball, '--no-same-owner'], { cwd: dir });
}
