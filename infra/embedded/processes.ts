import { setTimeout as sleep } from 'node:timers/promises';
import { isAlive } from '../bootstrap/lock.mjs';
import type { ProcessIdentity } from '../bootstrap/lock.mjs';

/** Asks a process to end, waits, and kills it when it has not ended in time. Another process with the same pid is left alone. */
export async function endProcess(identity: ProcessIdentity, signal: NodeJS.Signals, timeoutMs: number): Promise<void> {
  send(identity, signal);
  if (await hasEnded(identity, timeoutMs)) return;
  send(identity, 'SIGKILL');
  await hasEnded(identity, 5000);
}

/** Whether the process ends within the time. */
export async function hasEnded(identity: ProcessIdentity, timeoutMs: number): Promise<boolean> {
  const deadline = Date.now() + timeoutMs;
  while (isAlive(identity)) {
    if (Date.now() > deadline) return false;
    await sleep(20);
  }
  return true;
}

export function send(identity: ProcessIdentity, signal: NodeJS.Signals): void {
  if (!isAlive(identity)) return;
  try {
    process.kill(identity.pid, signal);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}
