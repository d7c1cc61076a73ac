import { setTimeout as sleep } from 'node:timers/promises';

const pauseMs = 50;

/** Asks again until there is something, and gives it; throws when there is nothing within the time. */
export async function eventually<T>(
  what: string,
  check: () => T | undefined | false | Promise<T | undefined | false>,
  timeoutMs = 30_000,
): Promise<T> {
  for (const deadline = Date.now() + timeoutMs; ; await sleep(pauseMs)) {
    const value = await check();
    if (value !== undefined && value !== false) return value;
    if (Date.now() > deadline) throw new Error(`waited ${timeoutMs} ms in vain: ${what}`);
  }
}
