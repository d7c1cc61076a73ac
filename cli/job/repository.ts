import { stat } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { HelixError } from '../../contracts/error.ts';

const remoteUrl = /^(https?|ssh|git|file|git\+ssh):\/\//i;

/** What git takes for `host:path`: a colon before any slash. */
const scpLike = /^[^/\\:\s]+:.+/;

/**
 * The location of a job's source: a URL or `host:path` as it is, a local path as the absolute path of the repository it lies in.
 * Throws `source.not-a-repository`.
 */
export async function resolveLocation(text: string): Promise<string> {
  if (remoteUrl.test(text)) return text;
  const path = resolve(text);
  const found = await stat(path).catch(() => undefined);
  if (found?.isDirectory()) return repositoryAround(path);
  if (!found && scpLike.test(text)) return text;
  const why = found ? 'is a file' : 'does not exist';
  throw new HelixError('source.not-a-repository', `${path} ${why}: give --repo the path of a git repository or a URL`);
}

/** The nearest folder, from the given one upwards, that has `.git` or is a bare repository. */
async function repositoryAround(path: string): Promise<string> {
  for (let folder = path; ; folder = dirname(folder)) {
    if ((await exists(join(folder, '.git'))) || (await isBareRepository(folder))) return folder;
    if (folder === dirname(folder)) break;
  }
  throw new HelixError(
    'source.not-a-repository',
    `${path} is not in a git repository: run "git init" there, or give --repo the path of a repository or a URL`,
  );
}

async function isBareRepository(folder: string): Promise<boolean> {
  const parts = await Promise.all(['HEAD', 'objects', 'refs'].map((name) => exists(join(folder, name))));
  return parts.every(Boolean);
}

function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}
