import { statfs } from 'node:fs/promises';

/** Free and all bytes of the file system where a node keeps its things; all are 0 where a file system does not say. */
export interface DiskSpace {
  free: number;
  total: number;
}

const gibibyte = 2 ** 30;
/** Of the disk, where nothing is configured. */
const share = 0.5;

/** What a user allows the cache, else half of the disk. */
export function ownLimit(configured: number | undefined, { total }: DiskSpace): number {
  return configured ?? (total > 0 ? Math.floor(total * share) : Number.MAX_SAFE_INTEGER);
}

/** What the cache of so many bytes may take up: its own limit, and never so much that the reserve is short. */
export function cacheLimit(configured: number | undefined, used: number, disk: DiskSpace): number {
  return Math.max(0, Math.floor(Math.min(ownLimit(configured, disk), used + disk.free - reserve(disk))));
}

/** Whether something has to go, also where it is not known yet how much there is. */
export function isOverLimit(configured: number | undefined, used: number, disk: DiskSpace): boolean {
  return used > ownLimit(configured, disk) || disk.free < reserve(disk);
}

/** What is to be free: a tenth of the disk or 4 GiB, whichever is less. */
function reserve({ total }: DiskSpace): number {
  return Math.min(total / 10, 4 * gibibyte);
}

/** Whether steps may fail for want of space any moment. */
export function isNearlyFull({ free, total }: DiskSpace): boolean {
  return free < Math.min(total / 40, gibibyte);
}

export async function readDiskSpace(folder: string): Promise<DiskSpace> {
  const { bavail, blocks, bsize } = await statfs(folder);
  return { free: bavail * bsize, total: blocks * bsize };
}
