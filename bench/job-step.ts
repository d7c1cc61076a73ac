import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Client, Connection } from '@temporalio/client';
import { createBlobStore } from '../blobs/blob-store.ts';
import { type JobRequest, jobRequestSchema } from '../contracts/job.ts';
import type { Plan, Task } from '../contracts/plan.ts';
import type { ModeInput } from '../contracts/workflow.ts';
import { demandClass } from '../db/classes.ts';
import { openDatabase } from '../db/database.ts';
import { insertJob } from '../db/jobs.ts';
import { loadConfig } from '../config/load.ts';
import { readStackState } from '../infra/embedded/stack.ts';
import { importSource, projectIdFor } from '../snapshots/source.ts';
import { openStore } from '../snapshots/store.ts';
import { makeRepository } from '../test/support/projects.ts';
import { startStack } from '../test/support/stack.ts';
import { orchestratorTaskQueue } from '../workflows/task-queues.ts';
import { cpuSeconds } from './processes.ts';
import { median } from './compare.ts';
import type { BenchRow } from './row.ts';

const stepsPerRound = 40;
const rounds = 8;
const command = 'true';

interface Cost {
  /** Of the steps' own activities. */
  activityEvents: number;
  /** All, with the workflow tasks between them: how many of those there are depends on how steps happen to end together. */
  events: number;
  bytes: number;
  cpuMs: number;
}

/** What a step costs beyond its command: against a workflow on the bare SDK whose activity runs the same command as a child process. */
export async function benchJobStep(): Promise<BenchRow[]> {
  const stack = await startStack({ HELIX_NODE_SLOTS: '2' });
  const state = (await readStackState(loadConfig(stack.env)))!;
  const pids = state.processes.flatMap(({ name, pid }) =>
    name === 'supervisor' || pid === null ? [] : [{ name, pid }],
  );
  const temporalPid = pids.find(({ name }) => name === 'temporal')!.pid;
  const connection = await Connection.connect({ address: state.temporalAddress });
  const client = new Client({ connection });
  const bare = spawn(
    process.execPath,
    ['--no-warnings', fileURLToPath(new URL('bare/worker.ts', import.meta.url)), state.temporalAddress, 'bare'],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  );
  await once(bare.stdout, 'data');
  const database = openDatabase(state.databaseUrl);
  try {
    const startOurs = await prepareOurs(
      stack.home,
      client,
      (task) => demandClass(database, task.class),
      (job) => insertJob(database, job),
    );
    const startBare = (id: string): Promise<unknown> =>
      client.workflow.execute('runCommands', { workflowId: id, taskQueue: 'bare', args: [stepsPerRound, 2, command] });

    const measure = async (id: string, run: (id: string) => Promise<unknown>, roots: number[]): Promise<Cost> => {
      const before = await cpuSeconds(roots);
      await run(id);
      const cpuMs = ((await cpuSeconds(roots)) - before) * 1000;
      const handle = client.workflow.getHandle(id);
      const { historyLength, historySize } = await handle.describe();
      const { events } = await handle.fetchHistory();
      const activityEvents = events!.filter(
        (event) =>
          event.activityTaskScheduledEventAttributes ??
          event.activityTaskStartedEventAttributes ??
          event.activityTaskCompletedEventAttributes,
      ).length;
      return { activityEvents, events: historyLength, bytes: historySize ?? Number.NaN, cpuMs };
    };
    const ours: Cost[] = [];
    const bares: Cost[] = [];
    const measureOurs = async (id: string): Promise<void> =>
      void ours.push(
        await measure(
          `ours-${id}`,
          startOurs,
          pids.map(({ pid }) => pid),
        ),
      );
    const measureBare = async (id: string): Promise<void> =>
      void bares.push(await measure(`bare-${id}`, startBare, [bare.pid!, temporalPid]));
    await measureOurs('warm');
    await measureBare('warm');
    ours.length = bares.length = 0;
    for (let round = 0; round < rounds; round += 1) {
      const order = round % 2 === 0 ? [measureOurs, measureBare] : [measureBare, measureOurs];
      for (const one of order) await one(String(round));
    }
    const row = (name: string, pick: (cost: Cost) => number, unit: string, target: string): BenchRow => {
      const [mine, theirs] = [median(ours.map(pick)) / stepsPerRound, median(bares.map(pick)) / stepsPerRound];
      return {
        name,
        ours: mine,
        peer: theirs,
        unit,
        ratio: median(ours.map((cost, index) => pick(cost) / pick(bares[index]!))),
        target,
      };
    };
    return [
      row('step: events of its activity against a bare activity', (cost) => cost.activityEvents, 'events', '<= 1x'),
      row('step: all history events', (cost) => cost.events, 'events', '-'),
      row('step: history bytes', (cost) => cost.bytes, 'bytes', '<= 2,048 bytes'),
      row('step: CPU of all processes against a bare activity and its server', (cost) => cost.cpuMs, 'ms', '<= 2x'),
    ];
  } finally {
    bare.kill();
    await database.close();
    await connection.close();
    await stack.down();
  }
}

/** Returns a function that runs `stepsPerRound` steps as the building mode does, without a cache. */
async function prepareOurs(
  home: string,
  client: Client,
  demand: (task: Task) => Promise<void>,
  record: (job: { jobId: string; workflowId: string; project: string; request: JobRequest }) => Promise<unknown>,
): Promise<(id: string) => Promise<unknown>> {
  const repository = await makeRepository(join(home, 'bench-repository'), { 'README.md': 'bench\n' });
  const source = { location: repository };
  const project = projectIdFor(source);
  await mkdir(join(home, 'node', 'projects', project), { recursive: true });
  const { snapshot } = await importSource(await openStore(join(home, 'node', 'projects', project, 'store')), source);
  const tasks = Array.from({ length: stepsPerRound }, (_, index): Task => ({
    id: `build:${index}`,
    kind: 'build',
    title: `Build ${index}`,
    command: { shell: command, cwd: '.' },
    env: {},
    layers: [],
    needs: [],
    outputs: [],
    tools: [],
    class: 'git',
  }));
  await demand(tasks[0]!);
  const plan: Plan = { languages: [], packages: [], tasks, classes: ['git'], files: 1, bytes: 6, notes: [] };
  const planHash = await createBlobStore(join(home, 'blobs')).put(JSON.stringify(plan));
  const request = jobRequestSchema.parse({ source, cache: 'off' });
  return async (id) => {
    await record({ jobId: id, workflowId: id, project, request });
    const input: ModeInput = { jobId: id, project, request, snapshot, plan: planHash, baseline: [] };
    const output = await client.workflow.execute('building', {
      workflowId: id,
      taskQueue: orchestratorTaskQueue,
      args: [input],
    });
    if ((output as { phase: { status: string } }).phase.status !== 'succeeded')
      throw new Error(`the bench's steps failed: ${JSON.stringify(output)}`);
    return output;
  };
}
