import { execFile } from 'node:child_process';
import { randomBytes, randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import { chown, mkdir, readFile, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { Client } from 'pg';
import { HelixError } from '../../contracts/error.ts';
import { processStart } from '../bootstrap/lock.mjs';
import type { Program } from './part.ts';
import { postgresBinaries } from './postgres-binaries.ts';
import { postgresPrivileges } from './privileges.ts';
import type { Privileges } from './privileges.ts';
import { endProcess } from './processes.ts';

const run = promisify(execFile);
const user = 'helix';
const database = 'helix';

export interface PostgresOptions {
  dataDir: string;
  port: number;
  password: string;
  /** Faster, and a crash of the machine may lose the data: for tests. */
  volatile?: boolean;
}

export function postgresUrl(options: { port: number; password: string }, name = database): string {
  return `postgres://${user}:${options.password}@127.0.0.1:${options.port}/${name}`;
}

/** The password of the embedded PostgreSQL, made on first use and kept beside its data. */
export async function postgresPassword(path: string): Promise<string> {
  if (existsSync(path)) return (await readFile(path, 'utf8')).trim();
  const draft = `${path}.${randomUUID()}`;
  const password = randomBytes(24).toString('base64url');
  await writeFile(draft, password, { mode: 0o600 });
  await rename(draft, path);
  return password;
}

/**
 * Makes the data folder fit to start on and says how to start the server. A new folder is initialised beside its place and moved there
 * whole, so that an interruption leaves nothing half made; what an orphan or a dead server left behind is cleared.
 */
export async function preparePostgres(options: PostgresOptions): Promise<Program> {
  const { dataDir } = options;
  const binaries = postgresBinaries();
  await mkdir(dirname(dataDir), { recursive: true });
  const privileges = await postgresPrivileges([binaries.postgres, dataDir]);
  await removeDrafts(dataDir);
  if (!isInitialised(dataDir)) {
    await setAside(dataDir);
    await initialise(binaries.initdb, options, privileges);
  }
  await clearStalePidFile(dataDir);
  const settings: Record<string, string> = {
    listen_addresses: '127.0.0.1',
    unix_socket_directories: '',
    max_connections: '100',
    log_line_prefix: '',
    log_min_messages: 'warning',
    log_statement: 'none',
    jit: 'off',
    ...(options.volatile ? { fsync: 'off', synchronous_commit: 'off', full_page_writes: 'off' } : {}),
  };
  const flags = Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`]);
  const started = privileges.wrap(binaries.postgres, ['-D', dataDir, '-p', String(options.port), ...flags]);
  return { ...started, env: environment(), cwd: '/' };
}

/** Whether the server takes connections to its database, which is made on first use. */
export async function isPostgresReady(options: { port: number; password: string }): Promise<boolean> {
  const error = await tryConnect(postgresUrl(options));
  if (error === null) return true;
  if ((error as { code?: string }).code !== '3D000') return false;
  await withClient(postgresUrl(options, 'postgres'), (client) => client.query(`CREATE DATABASE ${database}`));
  return true;
}

/** Null when a connection to the address succeeds, otherwise what was in the way. */
export async function tryConnect(url: string): Promise<Error | null> {
  try {
    await withClient(url, (client) => client.query('SELECT 1'));
    return null;
  } catch (error) {
    return error as Error;
  }
}

async function withClient<T>(url: string, use: (client: Client) => Promise<T>): Promise<T> {
  const client = new Client({ connectionString: url, connectionTimeoutMillis: 5000 });
  client.on('error', () => undefined);
  try {
    await client.connect();
    return await use(client);
  } finally {
    await client.end().catch(() => undefined);
  }
}

function environment(): NodeJS.ProcessEnv {
  return { PATH: process.env['PATH'], LC_ALL: 'C', TZ: 'UTC' };
}

function isInitialised(dataDir: string): boolean {
  return existsSync(join(dataDir, 'PG_VERSION')) && existsSync(join(dataDir, 'global', 'pg_control'));
}

/** What is no complete data folder is kept under another name: somebody may still want to look at it. */
async function setAside(dataDir: string): Promise<void> {
  if (!existsSync(dataDir)) return;
  const isEmpty = (await readdir(dataDir)).length === 0;
  if (isEmpty) await rm(dataDir, { recursive: true });
  else await rename(dataDir, `${dataDir}.incomplete-${Date.now()}`);
}

async function removeDrafts(dataDir: string): Promise<void> {
  const parent = dirname(dataDir);
  for (const name of await readdir(parent)) {
    if (name.startsWith(`${basename(dataDir)}.new-`)) await rm(join(parent, name), { recursive: true, force: true });
  }
}

async function initialise(initdb: string, options: PostgresOptions, privileges: Privileges): Promise<void> {
  const draft = `${options.dataDir}.new-${randomUUID()}`;
  await mkdir(draft, { mode: 0o700 });
  const passwordFile = `${draft}-password`;
  await writeFile(passwordFile, options.password, { mode: 0o600 });
  if (privileges.owner) {
    await chown(draft, privileges.owner.uid, privileges.owner.gid);
    await chown(passwordFile, privileges.owner.uid, privileges.owner.gid);
  }
  const flags = [`--pgdata=${draft}`, `--username=${user}`, `--pwfile=${passwordFile}`, '--auth=scram-sha-256'];
  const locale = ['--encoding=UTF8', '--locale=C', ...(options.volatile ? ['--no-sync'] : [])];
  const { command, args, ...as } = privileges.wrap(initdb, [...flags, ...locale]);
  try {
    await run(command, args, { ...as, cwd: '/', env: environment() });
    await rename(draft, options.dataDir);
  } catch (error) {
    await rm(draft, { recursive: true, force: true });
    const words = ((error as { stderr?: string }).stderr ?? (error as Error).message).trim();
    throw new HelixError('stack.unreachable', `PostgreSQL could not be initialised in ${options.dataDir}: ${words}`, {
      cause: error,
    });
  } finally {
    await rm(passwordFile, { force: true });
  }
}

/**
 * PostgreSQL takes any living process with the pid in postmaster.pid for a running server. A server nobody supervises is ended, and the
 * file of a dead one removed, also when its pid has another owner by now.
 */
async function clearStalePidFile(dataDir: string): Promise<void> {
  const path = join(dataDir, 'postmaster.pid');
  const pid = Number((await readFile(path, 'utf8').catch(() => '')).split('\n')[0]);
  if (!Number.isInteger(pid) || pid <= 0) return rm(path, { force: true });
  const start = processStart(pid);
  if (start !== null && (await commandLine(pid)).includes(dataDir)) {
    await endProcess({ pid, start }, 'SIGINT', 10_000);
  }
  await rm(path, { force: true });
}

async function commandLine(pid: number): Promise<string> {
  if (process.platform === 'linux') return readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '');
  return run('ps', ['-o', 'command=', '-p', String(pid)]).then(
    ({ stdout }) => stdout,
    () => '',
  );
}
