import { randomUUID } from 'node:crypto';
import { link, open, readFile, rename, rm, stat } from 'node:fs/promises';
import { hostname } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';

/** Nothing that is done under a lock takes this long: a lock older than that belongs to nobody. */
const abandonedAfterMs = 120_000;
const pollMs = 40;

/** Runs `use` while it alone, among all processes, holds the lock file; one whose process died is taken over. The signal ends the waiting. */
export async function withFileLock<T>(path: string, use: () => Promise<T>, signal?: AbortSignal): Promise<T> {
  while (!(await take(path))) {
    await breakAbandoned(path);
    await sleep(pollMs, undefined, signal ? { signal } : {}).catch((error: unknown) => {
      throw signal?.aborted ? signal.reason : error;
    });
  }
  try {
    return await use();
  } finally {
    await rm(path, { force: true });
  }
}

async function take(path: string): Promise<boolean> {
  try {
    const file = await open(path, 'wx', 0o600);
    try {
      await file.writeFile(JSON.stringify({ pid: process.pid, host: hostname() }));
    } finally {
      await file.close();
    }
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  }
}

/** Two who find the same abandoned lock must not both remove it, or the second removes the first one's new lock. */
async function breakAbandoned(path: string): Promise<void> {
  const found = await stat(path).catch(() => undefined);
  if (!found || !(await isAbandoned(path, found.mtimeMs))) return;
  const aside = `${path}.${randomUUID()}`;
  const moved = await rename(path, aside)
    .then(() => stat(aside))
    .catch(() => undefined);
  if (moved && moved.ino !== found.ino) await link(aside, path).catch(() => undefined);
  await rm(aside, { force: true });
}

async function isAbandoned(path: string, takenAt: number): Promise<boolean> {
  if (Date.now() - takenAt > abandonedAfterMs) return true;
  const text = await readFile(path, 'utf8').catch(() => '');
  const holder = /^\{.*\}$/.test(text) ? (JSON.parse(text) as { pid?: number; host?: string }) : {};
  return holder.host === hostname() && holder.pid !== undefined && !isAlive(holder.pid);
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}
