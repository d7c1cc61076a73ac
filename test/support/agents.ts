import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client } from '@temporalio/client';
import { DefaultLogger, Runtime } from '@temporalio/worker';
import type { AgentTurnInput, DevJobInput } from '../../contracts/workflow.ts';
import { jobRequestSchema, type JobRequest } from '../../contracts/job.ts';
import type { Database } from '../../db/database.ts';
import { insertJob } from '../../db/jobs.ts';
import { importSource, projectIdFor } from '../../snapshots/source.ts';
import { startIntegrations } from '../../workers/integrations.ts';
import { startNodePool } from '../../workers/node-pool.ts';
import { startOrchestrator } from '../../workers/orchestrator.ts';
import { type Foundation, lay } from '../../workers/support/foundation.ts';
import type { Role, StartRole } from '../../workers/support/role.ts';
import { orchestratorTaskQueue } from '../../workflows/task-queues.ts';
import { atEndOfTests } from './hooks.ts';
import { withDatabase } from './postgres.ts';
import { makeRepository } from './projects.ts';
import { sharedTemporal } from './temporal.ts';

/** What agents need and no more: no nodes, no API. Workflows are started by the client. */
export interface Agents {
  client: Client;
  database: Database;
  foundation: Foundation;
  env: NodeJS.ProcessEnv;
  job: DevJobInput;
  snapshot: string;
  /** The input of a turn in the job. */
  turn(more?: Partial<AgentTurnInput>): AgentTurnInput;
  /** Starts an agent's turn. */
  start(more?: Partial<AgentTurnInput>): ReturnType<Client['workflow']['start']>;
}

export interface AgentsOptions {
  env?: NodeJS.ProcessEnv;
  files?: Record<string, string>;
  binaries?: Record<string, Buffer>;
  request?: Partial<JobRequest>;
  /** host:port of a Temporal server of one's own. */
  temporal?: string;
  /** Without workers in this process. */
  idle?: boolean;
  /** The path of other workflows than ours. */
  bundle?: string;
  /** With this machine as a node, for commands. */
  nodes?: boolean;
}

let started = 0;
const cache = join(tmpdir(), `helix-agents-cache-${process.pid}`);
atEndOfTests(() => rm(cache, { recursive: true, force: true }));

/** The orchestrator and the integrations in this process, against real PostgreSQL and Temporal, with a job and its sources at hand. */
export async function withAgents<T>(options: AgentsOptions, use: (agents: Agents) => Promise<T>): Promise<T> {
  quiet();
  const home = await mkdtemp(join(tmpdir(), 'helix-agents-'));
  // The bundle of the workflows is made once.
  await mkdir(cache, { recursive: true });
  await symlink(cache, join(home, 'cache'));
  const address = options.temporal ?? (await sharedTemporal()).address;
  try {
    return await withDatabase(async (url) => {
      const env = {
        PATH: process.env['PATH'],
        HOME: process.env['HOME'],
        HELIX_HOME: home,
        DATABASE_URL: url,
        TEMPORAL_ADDRESS: address,
        HELIX_LOG_LEVEL: 'fatal',
        ...options.env,
      };
      const foundation = await lay('test', env);
      try {
        return await withRoles(foundation, options, async () => use(await prepare(foundation, env, options)));
      } finally {
        await foundation.close();
      }
    });
  } finally {
    await rm(home, { recursive: true, force: true });
  }
}

async function withRoles<T>(foundation: Foundation, options: AgentsOptions, use: () => Promise<T>): Promise<T> {
  const orchestrator: StartRole = (laid) => startOrchestrator(laid, options.bundle);
  const starts = options.idle ? [] : [startIntegrations, orchestrator, ...(options.nodes ? [startNodePool] : [])];
  const roles: Role[] = [];
  try {
    for (const start of starts) roles.push(await start(foundation));
    return await use();
  } finally {
    for (const role of roles) role.stop();
    await Promise.all(roles.map((role) => role.ended));
  }
}

async function prepare(
  foundation: Foundation,
  env: NodeJS.ProcessEnv,
  { files, binaries = {}, request }: AgentsOptions,
): Promise<Agents> {
  const { database, connection } = foundation;
  const location = await makeRepository(foundation.path('repository'), files ?? { 'note.txt': 'one\n' });
  for (const [name, content] of Object.entries(binaries)) await writeFile(join(location, name), content);
  const whole = jobRequestSchema.parse({ source: { location }, goal: 'Change the note', ...request });
  const project = projectIdFor(whole.source);
  const { snapshot } = await importSource(await foundation.stores(project), whole.source);
  const jobId = `job-${process.pid.toString(36).padStart(8, '0').slice(-8)}${String((started += 1)).padStart(4, '0')}`;
  const job: DevJobInput = { jobId, project, request: whole };
  await insertJob(database, { jobId, workflowId: jobId, project, request: whole, webUrl: null });
  const client = new Client({ connection });
  const turn: Agents['turn'] = (more) => ({
    job,
    phase: 'building',
    title: 'Work',
    models: ['anthropic/claude-sonnet-5-5'],
    snapshot,
    head: null,
    prompt: 'Work',
    tools: ['read', 'list', 'edit', 'write', 'run', 'delegate'],
    permissions: { mode: 'auto', rules: [] },
    budget: {},
    inputs: [],
    maxModelCalls: 100,
    commit: null,
    depth: 0,
    ...more,
  });
  let turns = 0;
  const start: Agents['start'] = (more) =>
    client.workflow.start('agentTurn', {
      taskQueue: orchestratorTaskQueue,
      workflowId: `${jobId}/turn-${(turns += 1)}`,
      args: [turn(more)],
    });
  return { client, database, foundation, env, job, snapshot, turn, start };
}

function quiet(): void {
  try {
    Runtime.install({
      logger: new DefaultLogger('ERROR'),
      telemetryOptions: { logging: { filter: 'OFF', forward: {} } },
    });
  } catch {
    // Another test of this process was first.
  }
}
