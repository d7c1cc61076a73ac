import { utimes } from 'node:fs/promises';
import { withFileLock } from '../auth/file-lock.ts';

/** Well below the age at which a lock counts as abandoned. */
const renewMs = 20_000;

/** Runs `use` while it alone, among all processes, holds the lock file, however long it takes. The signal ends the waiting. */
export async function exclusively<T>(path: string, use: () => Promise<T>, signal: AbortSignal): Promise<T> {
  return withFileLock(
    path,
    async () => {
      const renewal = setInterval(() => {
        const now = new Date();
        void utimes(path, now, now).catch(() => undefined);
      }, renewMs);
      try {
        return await use();
      } finally {
        clearInterval(renewal);
      }
    },
    signal,
  );
}
