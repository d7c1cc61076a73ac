import { lstatSync, readdirSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { hasCode } from './layout.ts';

const blockBytes = 512;
/** About a millisecond of work, and then a rest: measuring is never in a hurry. */
const entriesAtOnce = 200;
const restMs = 10;

/**
 * Bytes that files and folders take up on the disk with all in them; what is not there takes none. A file of several names counts once.
 * Undefined when there is no time for it any more.
 */
export async function diskUse(paths: string[], isUrgent: () => boolean): Promise<number | undefined> {
  const open = [...paths];
  const linked = new Set<string>();
  let bytes = 0;
  let entries = 0;
  for (let path = open.pop(); path !== undefined; path = open.pop()) {
    try {
      const stat = lstatSync(path);
      if (stat.nlink > 1 && !stat.isDirectory()) {
        const file = `${stat.dev}:${stat.ino}`;
        if (linked.has(file)) continue;
        linked.add(file);
      }
      bytes += stat.blocks * blockBytes;
      if (stat.isDirectory()) for (const name of readdirSync(path)) open.push(`${path}/${name}`);
    } catch (error) {
      // Steps go on working there meanwhile.
      if (!hasCode(error, 'ENOENT', 'ENOTDIR', 'EACCES', 'EPERM')) throw error;
    }
    entries += 1;
    if (entries % entriesAtOnce !== 0) continue;
    if (isUrgent()) return undefined;
    await sleep(restMs);
  }
  return bytes;
}
