import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client } from 'pg';
import { anyFreePort } from '../../infra/embedded/ports.ts';
import { isPostgresReady, postgresUrl, preparePostgres } from '../../infra/embedded/postgres.ts';
import { atEndOfTests } from './hooks.ts';
import { startServer } from './server-process.ts';

const password = 'only-for-tests';
let shared: Promise<{ port: number }> | undefined;
let databases = 0;

/** Runs `use` with the address of an empty database, which is dropped afterwards. All come from one server per process. */
export async function withDatabase<T>(use: (url: string) => Promise<T>): Promise<T> {
  shared ??= start();
  const { port } = await shared;
  const name = `test_${++databases}`;
  await administer(port, `CREATE DATABASE ${name}`);
  try {
    return await use(postgresUrl({ port, password }, name));
  } finally {
    await administer(port, `DROP DATABASE ${name} WITH (FORCE)`);
  }
}

async function start(): Promise<{ port: number }> {
  const folder = await mkdtemp(join(tmpdir(), 'helix-test-postgres-'));
  const port = await anyFreePort();
  const program = await preparePostgres({ dataDir: join(folder, 'data'), port, password, volatile: true });
  const server = await startServer(program, () => isPostgresReady({ port, password }), 'SIGINT');
  atEndOfTests(async () => {
    await server.stop();
    await rm(folder, { recursive: true, force: true });
  });
  return { port };
}

async function administer(port: number, statement: string): Promise<void> {
  const client = new Client({ connectionString: postgresUrl({ port, password }, 'postgres') });
  await client.connect();
  try {
    await client.query(statement);
  } finally {
    await client.end();
  }
}
