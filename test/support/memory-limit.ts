import { existsSync, mkdirSync, rmdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { SshdOptions } from './sshd.ts';

const root = '/sys/fs/cgroup';

/** A control group that may use so many bytes of memory, and what puts an sshd into it. Needs root, and either version of control groups. */
export async function withMemoryLimit<T>(bytes: number, use: (options: SshdOptions) => Promise<T>): Promise<T> {
  const isSecond = existsSync(join(root, 'cgroup.controllers'));
  const group = join(root, ...(isSecond ? [] : ['memory']), `helix-test-${process.pid}`);
  if (isSecond) writeFileSync(join(root, 'cgroup.subtree_control'), '+memory');
  mkdirSync(group);
  try {
    writeFileSync(join(group, isSecond ? 'memory.max' : 'memory.limit_in_bytes'), String(bytes));
    const enter = `echo $$ > ${group}/cgroup.procs && exec "$@"`;
    return await use({ within: ['sh', '-c', enter, 'sh'] });
  } finally {
    await removeGroup(group);
  }
}

/** It is busy for a moment after its last process. */
async function removeGroup(group: string): Promise<void> {
  for (let attempt = 0; ; attempt += 1) {
    try {
      return rmdirSync(group);
    } catch (error) {
      if (attempt === 100) throw error;
      await sleep(50);
    }
  }
}
