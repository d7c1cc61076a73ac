// Plain JavaScript without dependencies: the launcher uses it before anything is installed.
import { execFileSync } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { linkSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

/**
 * When a process started, as a text that differs for another process that got the same pid later; null when there is no
 * such process (or only its zombie).
 */
export function processStart(pid) {
  if (!Number.isInteger(pid) || pid <= 0) return null;
  try {
    if (process.platform === 'linux') {
      // The name in parentheses may itself hold spaces and parentheses.
      const fields = readFileSync(`/proc/${pid}/stat`, 'utf8')
        .replace(/^.*\) /s, '')
        .split(' ');
      return fields[0] === 'Z' || fields[0] === 'X' ? null : `${fields[19]}@${bootId()}`;
    }
    if (process.platform === 'win32') {
      process.kill(pid, 0);
      return 'unknown';
    }
    const listed = execFileSync('ps', ['-o', 'state=,lstart=', '-p', String(pid)], { encoding: 'utf8' }).trim();
    return listed === '' || listed.startsWith('Z') ? null : listed.replace(/^\S+\s+/, '');
  } catch {
    return null;
  }
}

/** Start times on Linux count from the boot, so that after a reboot the same pair may come again. */
function bootId() {
  try {
    return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
  } catch {
    return '';
  }
}

/** Names a process beyond the reuse of its pid. */
export function identify(pid) {
  return { pid, start: processStart(pid) ?? '' };
}

export function isAlive(identity) {
  return identity.start !== '' && processStart(identity.pid) === identity.start;
}

/**
 * Takes the lock file unless a living process has it. Returns the function that gives it back, or null.
 * A lock left by a dead process is taken over. Only the one holder of `<path>.<id of the dead>` may do that, and it looks again
 * first; so two who saw the same dead holder cannot both win.
 */
export function tryLock(path) {
  mkdirSync(dirname(path), { recursive: true });
  const own = { ...identify(process.pid), id: randomUUID() };
  const draft = `${path}.${own.id}`;
  writeFileSync(draft, JSON.stringify(own), { mode: 0o600 });
  const release = () => {
    if (readHolder(path)?.id === own.id) rmSync(path, { force: true });
  };
  try {
    linkSync(draft, path);
    return release;
  } catch (error) {
    if (error.code !== 'EEXIST') throw error;
    return takeOver(path, draft) ? release : null;
  } finally {
    rmSync(draft, { force: true });
  }
}

function takeOver(path, draft) {
  const holder = readHolder(path);
  if (holder && isAlive(holder)) return false;
  const releaseClaim = tryLock(`${path}.of-${holder?.id ?? 'nobody'}`);
  if (!releaseClaim) return false;
  try {
    if (readHolder(path)?.id !== holder?.id) return false;
    renameSync(draft, path);
    return true;
  } finally {
    releaseClaim();
  }
}

function readHolder(path) {
  try {
    return JSON.parse(readFileSync(path, 'utf8'));
  } catch {
    return null;
  }
}

/** Runs `use` with the lock; waits for it as long as its holder lives. `onWait` is called once, with the holder's pid. */
export async function withLock(path, use, onWait = () => undefined) {
  let release = tryLock(path);
  let told = false;
  while (!release) {
    if (!told) onWait(readHolder(path)?.pid ?? 0);
    told = true;
    await sleep(50);
    release = tryLock(path);
  }
  try {
    return await use();
  } finally {
    release();
  }
}
