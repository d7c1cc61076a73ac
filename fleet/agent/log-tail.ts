import { closeSync, openSync, readSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import type { RpcChannel } from '../wire/channel.ts';
import { Pace } from './pace.ts';

const chunkBytes = 256 * 1024;

/**
 * Sends a growing log from `offset` on, until `ended` and all of it is sent. While the command runs, nothing beyond `limit` is sent:
 * what is beyond may still be cut away. Ends early, without an error, when the caller gives up.
 */
export async function sendLog(
  file: string,
  offset: number,
  limit: number,
  channel: RpcChannel,
  ended: { readonly done: boolean; readonly promise: Promise<unknown> },
): Promise<void> {
  // Without waiting for a thread: what is read is in memory already, and a short step would wait three times.
  const log = openSync(file, 'r');
  const buffer = Buffer.allocUnsafe(chunkBytes);
  const pace = new Pace();
  const settled = ended.promise.then(
    () => {},
    () => {},
  );
  try {
    for (let position = offset, hasGrown = false; !channel.signal.aborted;) {
      // Looked at before reading, so that what was written before the end is read after it.
      const last = ended.done;
      const wanted = last ? chunkBytes : Math.min(chunkBytes, limit - position);
      const bytesRead = wanted > 0 ? readSync(log, buffer, 0, wanted, position) : 0;
      if (bytesRead > 0) {
        await channel.send(Buffer.from(buffer.subarray(0, bytesRead)));
        position += bytesRead;
        hasGrown = true;
      } else if (last) return;
      else {
        await Promise.race([sleep(pace.next(hasGrown)), settled]);
        hasGrown = false;
      }
    }
  } catch (error) {
    if (!channel.signal.aborted) throw error;
  } finally {
    closeSync(log);
  }
}
