import { randomBytes } from 'node:crypto';
import { readFileSync, readlinkSync } from 'node:fs';
import { hostname } from 'node:os';
import type { NodePool } from '../../db/node-pools.ts';

/** A name for this process among all node-pools there ever were. */
export function thisProcess(): NodePool {
  return { id: `${hostname()}-${process.pid}-${randomBytes(3).toString('hex')}`, machine: machine(), pid: process.pid };
}

/** Whether a process that says it runs on this machine has ended. */
export function hasEnded({ pid }: NodePool): boolean {
  try {
    process.kill(pid, 0);
    return false;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ESRCH';
  }
}

/** Where processes have numbers of their own: a container is a machine here, and so is each start of one. */
function machine(): string {
  if (process.platform !== 'linux') return hostname();
  const boot = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
  return `${hostname()} ${boot} ${readlinkSync('/proc/self/ns/pid')}`;
}
