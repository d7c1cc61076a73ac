import { createHash } from 'node:crypto';
import { realpathSync } from 'node:fs';
import { lstat, realpath, stat } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { HelixError } from '../contracts/error.ts';
import type { ProjectId, Source } from '../contracts/snapshot.ts';
import { gitReason, gitResult } from './git.ts';

export type Location = { kind: 'local'; path: string } | { kind: 'url'; url: string };

const protocols = ['http', 'https', 'ssh', 'git'];

/** Reads a source's location. Throws HelixError `source.unreachable` for a URL of another kind than git may be asked for. */
export function parseLocation(location: string): Location {
  const scheme = /^([A-Za-z][A-Za-z0-9+.-]*):\/\//.exec(location)?.[1]?.toLowerCase();
  if (scheme === 'file') return { kind: 'local', path: filePath(location) };
  const isScpLike = scheme === undefined && /^[^/:]+:(?!:)/.test(location) && !location.startsWith('.');
  if (scheme === undefined && !isScpLike && !/^[^/]*::/.test(location))
    return { kind: 'local', path: resolve(location) };
  if ((isScpLike || protocols.includes(scheme ?? '')) && !/^-|[\0\n]/.test(location))
    return { kind: 'url', url: location };
  throw new HelixError(
    'source.unreachable',
    `${shownLocation(location)} is no address HelixCode fetches from: use a path, https://, http://, ssh://, git://, file:// or host:path`,
  );
}

function filePath(location: string): string {
  try {
    return fileURLToPath(location);
  } catch (error) {
    throw new HelixError(
      'source.unreachable',
      `${location} names no file on this machine: write file:///absolute/path`,
      { cause: error },
    );
  }
}

/** A location without the password that may be in it. */
export function shownLocation(location: string): string {
  return location.replace(/^([A-Za-z][A-Za-z0-9+.-]*:\/\/)[^/@]*@/, (whole, scheme: string) =>
    whole.includes(':', scheme.length) || /^https?:/i.test(scheme) ? `${scheme}***@` : whole,
  );
}

/** The id of a source's project: its name, readable, and a digest of where it is. The same for every spelling of one local path. */
export function projectIdFor(source: Source): ProjectId {
  const location = parseLocation(source.location);
  const canonical =
    location.kind === 'local' ? realOrGiven(location.path) : location.url.replace(/\/+$/, '').replace(/\.git$/, '');
  const name = canonical.replace(/\/+$/, '').split(/[/:]/).at(-1) ?? '';
  const slug = name
    .replace(/\.git$/, '')
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .replace(/^-+|-+$/g, '')
    .slice(0, 60)
    .replace(/-+$/, '');
  const digest = createHash('sha256').update(withoutPassword(canonical)).digest('hex').slice(0, 10);
  return `${slug || 'project'}-${digest}`;
}

// A token that is renewed must not make another project of it.
function withoutPassword(canonical: string): string {
  return canonical.replace(/^([A-Za-z][A-Za-z0-9+.-]*:\/\/[^/@:]*):[^/@]*@/, '$1@');
}

function realOrGiven(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    return path;
  }
}

/** A repository on this machine. */
export interface LocalRepository {
  /** The work tree's root; undefined for a bare repository. */
  workTree: string | undefined;
  /** The folder with HEAD and index: of this work tree. */
  gitDir: string;
  /** The folder with objects and refs: shared by all work trees. */
  commonDir: string;
}

/** Finds the repository at `path`. Throws HelixError `source.not-a-repository` or `source.unreadable`. */
export async function openRepository(path: string): Promise<LocalRepository> {
  const found = await stat(path).catch((error: NodeJS.ErrnoException) => error);
  if (found instanceof Error) {
    const what = found.code === 'ENOENT' ? 'does not exist' : `cannot be read (${found.code})`;
    throw new HelixError('source.not-a-repository', `${path} ${what}: give the path of a git repository`, {
      cause: found,
    });
  }
  if (!found.isDirectory())
    throw new HelixError('source.not-a-repository', `${path} is a file: give the folder of a git repository`);
  const root = await realpath(path);
  const isWorkTree = await exists(join(root, '.git'));
  if (!isWorkTree && !((await exists(join(root, 'HEAD'))) && (await exists(join(root, 'objects'))))) {
    const outer = await outerRepository(root);
    const advice = outer
      ? `it is inside the repository ${outer}; give that path`
      : `run "git init" there, or give the path of one`;
    throw new HelixError('source.not-a-repository', `${path} is no git repository: ${advice}`);
  }
  const candidate = isWorkTree ? join(root, '.git') : root;
  const args = ['rev-parse', '--absolute-git-dir', '--git-common-dir', '--show-object-format'];
  const { exitCode, stdout, stderr } = await gitResult(args, { gitDir: candidate, cwd: root });
  if (exitCode !== 0)
    throw new HelixError('source.not-a-repository', `${path} is no repository git can open: ${gitReason(stderr)}`);
  const [gitDir, commonDir, format] = stdout.toString().split('\n');
  if (format !== 'sha1') {
    throw new HelixError(
      'source.unreadable',
      `${path} stores its objects as ${format}: HelixCode reads repositories of the sha1 format only`,
    );
  }
  return { workTree: isWorkTree ? root : undefined, gitDir: gitDir!, commonDir: resolve(root, commonDir!) };
}

async function outerRepository(path: string): Promise<string | undefined> {
  for (let at = dirname(path); ; at = dirname(at)) {
    if (await exists(join(at, '.git'))) return at;
    if (at === dirname(at)) return undefined;
  }
}

async function exists(path: string): Promise<boolean> {
  return lstat(path).then(
    () => true,
    () => false,
  );
}
