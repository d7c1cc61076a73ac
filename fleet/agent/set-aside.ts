import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { readdirSync } from 'node:fs';
import { constants, setPriority } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { removeWhole } from '../../snapshots/removal.ts';
import { hasCode } from './layout.ts';
import { host } from './platform/host.ts';

/** Begins the names of what is being removed. With a dot, so that the watchdog's patterns pass over it. */
export const removedPrefix = '.removed-';

/**
 * Removes a file or a folder. It is out of the way when this returns; its contents go afterwards, and what a dying agent leaves of them is
 * found by its name. The promise is settled when they are gone, and never rejects.
 */
export function setAside(path: string): Promise<void> {
  const aside = join(
    dirname(path),
    `${removedPrefix}${basename(path).slice(0, 150)}-${randomBytes(4).toString('hex')}`,
  );
  try {
    host.rename(path, aside);
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return Promise.resolve();
    throw error;
  }
  return removeSlowly(aside);
}

/** Removes what was set aside in a folder by an agent that died over it. */
export async function removeLeftovers(folder: string): Promise<void> {
  for (const name of namesIn(folder)) if (name.startsWith(removedPrefix)) await removeSlowly(join(folder, name));
}

/** The names in a folder; none when there is no such folder. */
export function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch (error) {
    if (hasCode(error, 'ENOENT', 'ENOTDIR')) return [];
    throw error;
  }
}

/** In a process of its own, which steps go before. */
async function removeSlowly(path: string): Promise<void> {
  const removed = await new Promise<boolean>((resolve) => {
    const child = spawn('rm', ['-rf', '--', path], { stdio: 'ignore' });
    child.once('error', () => resolve(false));
    child.once('close', (code) => resolve(code === 0));
    try {
      if (child.pid !== undefined) setPriority(child.pid, constants.priority.PRIORITY_LOW);
    } catch {
      // It has ended already.
    }
  });
  // Folders that cannot be written are left by rm. What cannot be removed at all is tried again at the next start.
  if (!removed) await removeWhole(path).catch(() => {});
}
