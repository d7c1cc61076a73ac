import { HelixError } from '../../contracts/error.ts';

/** Turns "no space left", wherever in the chain of causes it says so, into `node.disk-full` naming the node and the folder. */
export function translateDiskFull(error: unknown, node: string, folder: string): unknown {
  for (let cause: unknown = error; cause instanceof Error; cause = cause.cause) {
    const text = `${(cause as NodeJS.ErrnoException).code ?? ''} ${cause.message}`;
    if (!/ENOSPC|EDQUOT|node\.disk-full|No space left on device|Disk quota exceeded/i.test(text)) continue;
    return new HelixError(
      'node.disk-full',
      `the disk of ${node} is full (${folder}): free some space there and try again`,
      {
        cause: error,
        details: { node, folder },
      },
    );
  }
  return error;
}
