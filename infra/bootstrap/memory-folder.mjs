import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync, statfsSync } from 'node:fs';
import { freemem } from 'node:os';
import { join } from 'node:path';

/** Linux keeps what is there in memory. */
const inMemory = '/dev/shm';
const prefix = 'helix-tests-';
/** Several times what all tests have there at one moment. */
const neededBytes = 4 * 2 ** 30;

/**
 * A folder in memory for what tests make and throw away (gigabytes, mostly repositories and databases), so that they do not wait for the disk;
 * undefined where there is none that is large enough and lets programs run. It goes with this process, or else with the next one that asks.
 */
export function makeMemoryFolder() {
  if (!hasRoom()) return undefined;
  for (const name of readdirSync(inMemory)) if (isLeft(name)) remove(join(inMemory, name));
  const folder = mkdtempSync(join(inMemory, `${prefix}${process.pid}-`));
  // Like that of the system: tests run programs of other users there.
  chmodSync(folder, 0o1777);
  process.on('exit', () => remove(folder));
  return folder;
}

function hasRoom() {
  if (process.platform !== 'linux') return false;
  const mount = readFileSync('/proc/mounts', 'utf8')
    .split('\n')
    .map((line) => line.split(' '))
    .findLast(([, path]) => path === inMemory);
  if (!mount || /\bnoexec\b|\bro\b/.test(mount[3])) return false;
  const { bavail, bsize } = statfsSync(inMemory);
  return Math.min(bavail * bsize, freemem()) > neededBytes;
}

function isLeft(name) {
  const pid = name.startsWith(prefix) ? Number(name.slice(prefix.length).split('-')[0]) : 0;
  if (!(pid > 0)) return false;
  try {
    process.kill(pid, 0);
    return false;
  } catch (error) {
    return error.code === 'ESRCH';
  }
}

function remove(folder) {
  try {
    rmSync(folder, { recursive: true, force: true, maxRetries: 3 });
  } catch {
    // What a process of another user still writes there is found by the next one.
  }
}
