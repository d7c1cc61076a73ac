import { readFileSync } from 'node:fs';
import { freemem, totalmem } from 'node:os';

/** Bytes that the surrounding container allows; Infinity without one. */
export function memoryLimit(): number {
  const limit = process.constrainedMemory();
  return limit > 0 && limit < totalmem() ? limit : Infinity;
}

/**
 * Bytes that a process could take now without swapping. What caches hold counts as free: the file just downloaded is in them.
 * On macOS only the size of the machine is known, so three quarters of it count.
 */
export function freeMemory(): number {
  if (process.platform === 'darwin') return totalmem() * 0.75;
  return Math.min(freemem(), memoryLimit() - usedInContainer());
}

/** Memory of the container's processes without caches, by cgroup v2 or v1; 0 where neither is there. */
function usedInContainer(): number {
  const files = [
    { file: '/sys/fs/cgroup/memory.stat', field: 'anon' },
    { file: '/sys/fs/cgroup/memory/memory.stat', field: 'total_rss' },
  ];
  for (const { file, field } of files) {
    try {
      const used = new RegExp(`^${field} (\\d+)`, 'm').exec(readFileSync(file, 'utf8'))?.[1];
      if (used !== undefined) return Number(used);
    } catch {
      // This version is not mounted.
    }
  }
  return 0;
}
