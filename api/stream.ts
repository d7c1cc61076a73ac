import { once } from 'node:events';
import type { Response } from 'express';

/** Aborted when the caller has gone. */
export function callerSignal(response: Response): AbortSignal {
  const controller = new AbortController();
  response.once('close', () => controller.abort());
  return controller.signal;
}

/** Writes, and waits while the caller is slower than we are. Throws an AbortError when it goes. */
export async function writeSlowly(response: Response, chunk: string | Buffer, signal: AbortSignal): Promise<void> {
  signal.throwIfAborted();
  if (!response.write(chunk)) await once(response, 'drain', { signal });
}
