import { existsSync, statfsSync } from 'node:fs';
import { join } from 'node:path';
import { HelixError } from '../../contracts/error.ts';
import { createOnce } from './layout.ts';

/** What programs say on a full disk; git without a reason, when it cannot go on writing a file that it could make. */
const words =
  /ENOSPC|EDQUOT|node\.disk-full|No space left on device|Disk quota exceeded|unable to write (file|new.index file)/i;

/** Whether it is said anywhere in the chain of causes. */
export function isDiskFull(error: unknown): boolean {
  for (let cause: unknown = error; cause instanceof Error; cause = cause.cause) {
    const text = `${(cause as NodeJS.ErrnoException).code ?? ''} ${cause.message}`;
    if (words.test(text)) return true;
  }
  return false;
}

/** Turns it into `node.disk-full` naming the node and the folder. */
export function translateDiskFull(error: unknown, node: string, folder: string): unknown {
  if (!isDiskFull(error)) return error;
  return new HelixError(
    'node.disk-full',
    `the disk of ${node} is full (${folder}): free some space there and try again`,
    {
      cause: error,
      details: { node, folder },
    },
  );
}

/** Less than this is left by whoever writes until nothing can be written any more. */
const nothingBytes = 1 << 20;

/** Whether the disk is as full now as one on which writing has just failed. */
export function hasNoSpace(folder: string): boolean {
  const { bavail, blocks, bsize } = statfsSync(folder);
  return blocks > 0 && bavail * bsize < nothingBytes;
}

/** Remembers, in the folder of an execution, that files in its slot may be cut off. */
export function noteFullDisk(folder: string): void {
  try {
    createOnce(join(folder, 'disk-full'), '');
  } catch {
    // Not even for this; an execution that is released without a result takes its slot with it as well.
  }
}

export function metFullDisk(folder: string): boolean {
  return existsSync(join(folder, 'disk-full'));
}
