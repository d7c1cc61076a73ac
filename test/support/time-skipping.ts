import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { access, mkdir, rename, rm, writeFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { Connection } from '@temporalio/client';
import { anyFreePort } from '../../infra/embedded/ports.ts';
import { startServer } from './server-process.ts';

const version = '1.32.0';

/** Runs `use` with the address of Temporal's own test server, on which time passes at once while nobody works. It is fetched with Maven on its first use. */
export async function withTimeSkipping<T>(use: (address: string) => Promise<T>): Promise<T> {
  const jars = await fetched();
  const port = await anyFreePort();
  const address = `127.0.0.1:${port}`;
  const args = ['-cp', join(jars, '*'), 'io.temporal.testserver.TestServer', String(port), '--enable-time-skipping'];
  const server = await startServer(
    { command: 'java', args, env: process.env, cwd: jars },
    () => answers(address),
    'SIGTERM',
  );
  try {
    return await use(address);
  } finally {
    await server.stop();
  }
}

async function answers(address: string): Promise<boolean> {
  try {
    const connection = await Connection.connect({ address, connectTimeout: 1_000 });
    await connection.close();
    return true;
  } catch {
    return false;
  }
}

/** The folder with the server and all that it needs. */
async function fetched(): Promise<string> {
  const cache = process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache');
  const folder = join(cache, 'helixcode', `temporal-test-server-${version}`);
  const isThere = await access(folder).then(
    () => true,
    () => false,
  );
  if (isThere) return folder;
  const making = `${folder}.${process.pid}`;
  await mkdir(making, { recursive: true });
  await writeFile(join(making, 'pom.xml'), project);
  process.stderr.write(`fetching Temporal's test server ${version} with Maven (about 33 MB)\n`);
  await maven(making);
  await rm(folder, { recursive: true, force: true });
  await rename(join(making, 'jars'), folder);
  await rm(making, { recursive: true });
  return folder;
}

async function maven(folder: string): Promise<void> {
  const args = ['-B', '-q', 'dependency:copy-dependencies', '-DoutputDirectory=jars', '-DincludeScope=runtime'];
  const child = spawn('mvn', args, { cwd: folder, stdio: ['ignore', 'inherit', 'inherit'] });
  const [code] = (await once(child, 'exit')) as [number | null];
  if (code !== 0) throw new Error(`mvn ${args.join(' ')} ended with ${code}`);
}

const project = `<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>helixcode</groupId>
  <artifactId>time-skipping</artifactId>
  <version>1</version>
  <dependencies>
    <dependency>
      <groupId>io.temporal</groupId>
      <artifactId>temporal-test-server</artifactId>
      <version>${version}</version>
    </dependency>
  </dependencies>
</project>
`;
