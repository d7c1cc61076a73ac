import { execFile } from 'node:child_process';
import { statSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { promisify } from 'node:util';
import { HelixError } from '../../contracts/error.ts';

const run = promisify(execFile);
const account = 'postgres';

/** How a command is started as the account PostgreSQL runs under. `owner` owns its files; null is the user of this process. */
export interface Privileges {
  owner: { uid: number; gid: number } | null;
  wrap: (command: string, args: string[]) => { command: string; args: string[]; uid?: number; gid?: number };
}

/**
 * PostgreSQL refuses to run as root. For root its programs run as the account `postgres`, which is made when it is missing.
 * Where that account cannot reach one of `paths` (a checkout or a home below /root), it is given the one capability to pass through
 * folders, rather than the folders being opened to everybody.
 */
export async function postgresPrivileges(paths: string[]): Promise<Privileges> {
  if (process.getuid?.() !== 0) return { owner: null, wrap: (command, args) => ({ command, args }) };
  const owner = await accountIds();
  const closed = paths.find((path) => !isReachable(path));
  if (closed === undefined) return { owner, wrap: (command, args) => ({ command, args, ...owner }) };
  const capability = await passThroughCapability();
  if (!capability) {
    throw new HelixError(
      'stack.unreachable',
      `PostgreSQL cannot run as root, and the account ${account} cannot reach ${closed}: run helix as an ordinary user, ` +
        `move the checkout and HELIX_HOME to folders others may pass through, or set DATABASE_URL to a PostgreSQL of your own`,
    );
  }
  const flags = [`--reuid=${owner.uid}`, `--regid=${owner.gid}`, '--init-groups'];
  const granted = [`--inh-caps=+${capability}`, `--ambient-caps=+${capability}`];
  return { owner, wrap: (command, args) => ({ command: 'setpriv', args: [...flags, ...granted, command, ...args] }) };
}

async function accountIds(): Promise<{ uid: number; gid: number }> {
  try {
    return await lookUp();
  } catch {
    try {
      await run('useradd', ['--system', '--user-group', '--no-create-home', '--shell', '/usr/sbin/nologin', account]);
      return await lookUp();
    } catch (error) {
      throw new HelixError(
        'stack.unreachable',
        `PostgreSQL cannot run as root, and an account "${account}" for it could not be made (${(error as Error).message.trim()}): ` +
          `make one, run helix as an ordinary user, or set DATABASE_URL to a PostgreSQL of your own`,
        { cause: error },
      );
    }
  }
}

async function lookUp(): Promise<{ uid: number; gid: number }> {
  const [uid, gid] = await Promise.all([run('id', ['-u', account]), run('id', ['-g', account])]);
  return { uid: Number(uid.stdout), gid: Number(gid.stdout) };
}

/** Whether everybody may pass through every folder above the path. */
function isReachable(path: string): boolean {
  const parent = dirname(path);
  return (statSync(parent).mode & 0o001) !== 0 && (parent === path || isReachable(parent));
}

/** The narrower of the two capabilities that this process may hand on, if `setpriv` is there to do it. */
async function passThroughCapability(): Promise<string | undefined> {
  const status = await readFile('/proc/self/status', 'utf8').catch(() => '');
  const bounding = BigInt(`0x${/^CapBnd:\s*([0-9a-f]+)/m.exec(status)?.[1] ?? '0'}`);
  const available = await run('setpriv', ['--version']).then(
    () => true,
    () => false,
  );
  const bits = { dac_read_search: 2n, dac_override: 1n };
  return available ? Object.entries(bits).find(([, bit]) => (bounding >> bit) & 1n)?.[0] : undefined;
}
