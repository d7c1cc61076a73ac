import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createWriteStream } from 'node:fs';
import { mkdir, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createClient, type HelixClient } from '../../client/client.ts';
import { type JobRequest, jobRequestSchema } from '../../contracts/job.ts';
import type { NodeRecord } from '../../contracts/node.ts';
import { anyFreePort } from '../../infra/embedded/ports.ts';
import { withDatabase } from './postgres.ts';
import { makeRepository } from './projects.ts';
import { Roles } from './roles.ts';
import { type Sshd, type SshdOptions, withSshds } from './sshd.ts';
import { root } from './stack.ts';
import { sharedTemporal } from './temporal.ts';
import { eventually } from './eventually.ts';

/** A controller of several processes with machines of its own. */
export interface Fleet {
  dir: string;
  client: HelixClient;
  apiUrl: string;
  databaseUrl: string;
  temporalAddress: string;
  /** HELIX_HOME of the roles. */
  home: string;
  machines: Sshd[];
  /** Adds the machine of that number as `m<number>`. */
  addMachine(index: number, slots?: number, nodeRoot?: string): Promise<NodeRecord>;
  node(name: string): Promise<NodeRecord>;
  /** Kills the node-pool that is started again at once. */
  killPool(): void;
  /** A further node-pool, which nobody starts again. */
  startPool(): ChildProcess;
  /** A repository of packages whose tests are the given shell commands. */
  repository(tests: Record<string, string>): Promise<string>;
  /** Runs only the tests, on the machines; returns the id of the job. */
  startJob(repository: string, more?: Partial<JobRequest>): Promise<string>;
}

export interface FleetOptions {
  machines: SshdOptions[];
  env?: NodeJS.ProcessEnv;
}

/** Starts the four roles and machines without a node among them; fails when a process is left on a machine. */
export async function withFleet<T>(options: FleetOptions, use: (fleet: Fleet) => Promise<T>): Promise<T> {
  return await withSshds(options.machines, (machines) => withRoles(machines, options.env ?? {}, use));
}

async function withRoles<T>(machines: Sshd[], extra: NodeJS.ProcessEnv, use: (fleet: Fleet) => Promise<T>): Promise<T> {
  const dir = await mkdtemp(join(tmpdir(), 'helix-fleet-'));
  const { address } = await sharedTemporal();
  try {
    return await withDatabase(async (databaseUrl) => {
      const env = {
        ...process.env,
        HELIX_HOME: join(dir, 'home'),
        DATABASE_URL: databaseUrl,
        TEMPORAL_ADDRESS: address,
        HELIX_API_PORT: String(await anyFreePort()),
        ...extra,
      };
      await mkdir(join(dir, 'home', 'logs'), { recursive: true });
      const roles = await Roles.start(env);
      const pools: ChildProcess[] = [];
      try {
        return await use(fleetOf({ dir, databaseUrl, env, roles, machines, pools }));
      } catch (error) {
        const log = await readFile(join(dir, 'home', 'logs', 'node-pool.log'), 'utf8');
        throw new Error(`${(error as Error).message}\nthe node-pool said last:\n${log.slice(-3000)}`, { cause: error });
      } finally {
        for (const pool of pools) pool.kill('SIGKILL');
        await roles.stop();
      }
    });
  } finally {
    await rm(dir, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 });
  }
}

interface Running {
  dir: string;
  databaseUrl: string;
  env: NodeJS.ProcessEnv;
  roles: Roles;
  machines: Sshd[];
  pools: ChildProcess[];
}

function fleetOf({ dir, databaseUrl, env, roles, machines, pools }: Running): Fleet {
  const client = createClient(roles.apiUrl);
  let repositories = 0;
  return {
    dir,
    client,
    apiUrl: roles.apiUrl,
    databaseUrl,
    temporalAddress: env['TEMPORAL_ADDRESS']!,
    home: env['HELIX_HOME']!,
    machines,
    killPool: () => roles.kill('node-pool'),
    async addMachine(index, slots = 2, nodeRoot) {
      const { target, hostKey } = machines[index]!;
      return await client.addNode({
        name: `m${index}`,
        ssh: { ...target, ...(nodeRoot === undefined ? {} : { root: nodeRoot }) },
        hostKey: { kind: 'fingerprint', sha256: await hostKey() },
        slots,
        labels: { pool: 'ssh' },
      });
    },
    async node(name) {
      const node = (await client.listNodes()).find((one) => one.name === name);
      assert.ok(node, `there is no node ${name}`);
      return node;
    },
    startPool() {
      const log = createWriteStream(join(dir, 'home', 'logs', `node-pool-${pools.length}.log`));
      const pool = spawn(process.execPath, ['--no-warnings', join(root, 'workers', 'node-pool.ts')], {
        env,
        stdio: ['ignore', 'pipe', 'pipe'],
      });
      pool.stdout.pipe(log);
      pool.stderr.pipe(log);
      pools.push(pool);
      return pool;
    },
    async repository(tests) {
      const files: Record<string, string> = {
        'package.json': JSON.stringify({ name: 'fleet', private: true, workspaces: ['packages/*'] }),
        '.gitignore': 'node_modules/\n',
      };
      for (const [name, test] of Object.entries(tests)) {
        files[`packages/${name}/package.json`] = JSON.stringify({ name, version: '1.0.0', scripts: { test } });
      }
      repositories += 1;
      return await makeRepository(join(dir, `repository-${repositories}`), files);
    },
    async startJob(repository, more = {}) {
      const request = jobRequestSchema.parse({
        source: { location: repository },
        modes: ['testing'],
        nodeClass: 'pool=ssh',
        cache: 'off',
        ...more,
      });
      return (await client.startJob(request)).jobId;
    },
  };
}

/** Waits for the end of a job and gives its status. */
export async function ended(client: HelixClient, jobId: string, timeoutMs = 60_000): Promise<string> {
  return await eventually(
    `the end of ${jobId}`,
    async () => {
      const { status } = await client.getJob(jobId);
      return ['succeeded', 'failed', 'cancelled'].includes(status) ? status : false;
    },
    timeoutMs,
  );
}

/** Ends the process as a crash would. */
export async function kill(process: ChildProcess): Promise<void> {
  const exited = once(process, 'exit');
  process.kill('SIGKILL');
  await exited;
}
