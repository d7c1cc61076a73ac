import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { identify, isAlive, withLock } from '../bootstrap/lock.mjs';
import type { ProcessIdentity } from '../bootstrap/lock.mjs';

/**
 * Ports given to supervisors of this user whose parts do not listen yet. Without these claims two homes started at the same
 * moment would both find the same port free. In one place whatever TMPDIR says: ports are the machine's.
 */
const claims = join(process.platform === 'win32' ? tmpdir() : '/tmp', `helixcode-ports-${userInfo().username}`);

/**
 * The first free port for each wish: the wanted one, one of the next few, or any. Ports in `own` are this stack's and count as free.
 * They are claimed for `owner` until `releasePorts`.
 */
export async function claimPorts(
  wanted: readonly number[],
  own: ReadonlySet<number>,
  owner: number,
): Promise<number[]> {
  mkdirSync(claims, { recursive: true, mode: 0o700 });
  return withLock(join(claims, 'lock'), async () => {
    const given: number[] = [];
    for (const wish of wanted) {
      const port = await firstFree(
        wish,
        (candidate) => own.has(candidate),
        (candidate) => given.includes(candidate) || claimedByOther(candidate, owner),
      );
      writeFileSync(join(claims, String(port)), JSON.stringify(identify(owner)));
      given.push(port);
    }
    return given;
  });
}

export function releasePorts(ports: readonly number[]): void {
  for (const port of ports) rmSync(join(claims, String(port)), { force: true });
}

async function firstFree(
  wish: number,
  isOwn: (port: number) => boolean,
  isTaken: (port: number) => boolean,
): Promise<number> {
  const near = Array.from({ length: 10 }, (_, step) => wish + step).filter((port) => port <= 65_535);
  for (const port of near) {
    if (!isTaken(port) && (isOwn(port) || (await isFree(port)))) return port;
  }
  for (;;) {
    const port = await anyFreePort();
    if (!isTaken(port)) return port;
  }
}

function claimedByOther(port: number, owner: number): boolean {
  try {
    const claim = JSON.parse(readFileSync(join(claims, String(port)), 'utf8')) as ProcessIdentity;
    return claim.pid !== owner && isAlive(claim);
  } catch {
    return false;
  }
}

/** Asked on every address: a program that listens on one of them only is in the way as well. */
export async function isFree(port: number): Promise<boolean> {
  for (const host of ['127.0.0.1', '0.0.0.0', '::']) {
    if (!(await canListen(port, host))) return false;
  }
  return true;
}

/** A port nobody listens on, chosen by the system. */
export async function anyFreePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address() as { port: number };
      server.close(() => resolve(port));
    });
  });
}

/** An address family the machine does not have is in nobody's way. */
function canListen(port: number, host: string): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', (error: NodeJS.ErrnoException) =>
      resolve(error.code !== 'EADDRINUSE' && error.code !== 'EACCES'),
    );
    server.listen({ port, host, exclusive: true }, () => server.close(() => resolve(true)));
  });
}
