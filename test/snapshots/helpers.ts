import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { chmod, lstat, mkdir, readFile, readdir, readlink, symlink, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** Runs the machine's git as a user would, with nothing of the machine's configuration. */
export async function userGit(cwd: string, ...args: string[]): Promise<string> {
  const env = {
    PATH: process.env['PATH'],
    HOME: '/nonexistent',
    GIT_CONFIG_NOSYSTEM: '1',
    GIT_AUTHOR_NAME: 'User',
    GIT_AUTHOR_EMAIL: 'user@localhost',
    GIT_COMMITTER_NAME: 'User',
    GIT_COMMITTER_EMAIL: 'user@localhost',
  };
  const { stdout } = await run('git', args, { cwd, env, maxBuffer: 1 << 28 });
  return stdout.replace(/\n$/, '');
}

/** A user's repository with one commit of the given files. */
export async function makeRepository(dir: string, files: Files): Promise<string> {
  await mkdir(dir, { recursive: true });
  await userGit(dir, 'init', '-q', '-b', 'main');
  await writeFiles(dir, files);
  await userGit(dir, 'add', '-A');
  await userGit(dir, 'commit', '-q', '--allow-empty', '-m', 'first');
  return userGit(dir, 'rev-parse', 'HEAD');
}

/** Content by path: text, bytes, `{ link }` for a symlink, `{ run }` for an executable, null for an empty folder. */
export type Files = Record<string, string | Buffer | { link: string } | { run: string } | null>;

export async function writeFiles(dir: string, files: Files): Promise<void> {
  for (const [path, content] of Object.entries(files)) {
    const at = `${dir}/${path}`;
    await mkdir(content === null ? at : dirname(at), { recursive: true });
    if (content === null) continue;
    if (typeof content === 'string' || Buffer.isBuffer(content)) await writeFile(at, content);
    else if ('link' in content) await symlink(content.link, at);
    else {
      await writeFile(at, content.run);
      await chmod(at, 0o755);
    }
  }
}

/**
 * Everything below a folder but `.git`: one line each of kind, exec bit, digest and path bytes (hexadecimal where they are no plain
 * text), sorted. Folders count only when they are empty.
 */
export async function manifest(dir: string): Promise<string[]> {
  const lines: string[] = [];
  await walk(Buffer.from(dir), Buffer.alloc(0), lines);
  return lines.sort();
}

async function walk(root: Buffer, relative: Buffer, lines: string[]): Promise<number> {
  const at = Buffer.concat([root, Buffer.from('/'), relative]);
  const names = (await readdir(at, { encoding: 'buffer' })).filter((name) => name.toString() !== '.git');
  for (const name of names) {
    const path = relative.length > 0 ? Buffer.concat([relative, Buffer.from('/'), name]) : name;
    const file = Buffer.concat([root, Buffer.from('/'), path]);
    const stat = await lstat(file);
    const shown = /^[\x21-\x7e]*$/.test(path.toString('latin1')) ? path.toString() : `hex:${path.toString('hex')}`;
    if (stat.isDirectory()) {
      if ((await walk(root, path, lines)) === 0) lines.push(`folder ${shown}`);
    } else if (stat.isSymbolicLink()) {
      lines.push(`symlink ${digest(await readlink(file, { encoding: 'buffer' }))} ${shown}`);
    } else if (stat.isFile()) {
      lines.push(`${stat.mode & 0o100 ? 'executable' : 'file'} ${digest(await readFile(file))} ${shown}`);
    } else lines.push(`other ${shown}`);
  }
  return names.length;
}

function digest(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('hex').slice(0, 12);
}

/** The lines of two manifests that differ. */
export function difference(left: string[], right: string[]): string[] {
  return [
    ...left.filter((line) => !right.includes(line)).map((line) => `- ${line}`),
    ...right.filter((line) => !left.includes(line)).map((line) => `+ ${line}`),
  ];
}
