import { realpathSync } from 'node:fs';
import { dirname, join, resolve, sep } from 'node:path';
import { HelixError } from '../../contracts/error.ts';
import { hasCode } from './layout.ts';

/**
 * The absolute path of something below the workspace. Throws `usage.invalid` when it leads out of it, by `..` or through a
 * symbolic link that the repository brought along.
 */
export function resolveInside(workspace: string, path: string): string {
  const target = resolve(workspace, path);
  const root = realpathSync(workspace);
  const inside = target === workspace || target.startsWith(workspace + sep);
  const parent = target === workspace ? root : realOfExisting(dirname(target));
  if (!inside || (parent !== root && !parent.startsWith(root + sep))) {
    throw new HelixError('usage.invalid', `the path "${path}" leads out of the workspace: give one below its root`);
  }
  return target;
}

/** The folder a command runs in. Throws `usage.invalid` when the snapshot has no such folder. */
export function resolveFolder(workspace: string, path: string): string {
  const folder = resolveInside(workspace, path);
  let real: string;
  try {
    real = realpathSync(folder);
  } catch (error) {
    if (!hasCode(error, 'ENOENT', 'ENOTDIR')) throw error;
    throw new HelixError('usage.invalid', `the command's folder "${path}" does not exist in the workspace`, {
      cause: error,
    });
  }
  const root = realpathSync(workspace);
  if (real === root || real.startsWith(root + sep)) return folder;
  throw new HelixError('usage.invalid', `the command's folder "${path}" is a link that leads out of the workspace`);
}

function realOfExisting(path: string): string {
  try {
    return realpathSync(path);
  } catch (error) {
    if (!hasCode(error, 'ENOENT', 'ENOTDIR')) throw error;
    return join(realOfExisting(dirname(path)));
  }
}
