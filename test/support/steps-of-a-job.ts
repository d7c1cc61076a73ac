import { mkdir, mkdtemp } from 'node:fs/promises';
import { join } from 'node:path';
import type { Client } from '@temporalio/client';
import { createBlobStore } from '../../blobs/blob-store.ts';
import { jobRequestSchema } from '../../contracts/job.ts';
import type { Plan, Task } from '../../contracts/plan.ts';
import type { ModeInput } from '../../contracts/workflow.ts';
import { demandClass } from '../../db/classes.ts';
import type { Database } from '../../db/database.ts';
import { insertJob } from '../../db/jobs.ts';
import { importSource, projectIdFor } from '../../snapshots/source.ts';
import { openStore } from '../../snapshots/store.ts';
import { makeRepository } from './projects.ts';
import { orchestratorTaskQueue } from '../../workflows/task-queues.ts';

/** A running stack. */
export interface Controller {
  home: string;
  client: Client;
  database: Database;
}

export interface StepsOfAJob {
  /** Carries the steps out as the building mode does, without a cache; `id` becomes the job's and the workflow's. Throws when one fails. */
  run(id: string): Promise<unknown>;
}

/** What steps run on. */
export interface ProjectOfSteps {
  project: string;
  snapshot: string;
  source: { location: string };
}

/** A repository of one file, known to the controller. */
export async function prepareProject(home: string): Promise<ProjectOfSteps> {
  const repository = await makeRepository(await mkdtemp(join(home, 'bench-repository-')), { 'README.md': 'bench\n' });
  const source = { location: repository };
  const project = projectIdFor(source);
  await mkdir(join(home, 'node', 'projects', project), { recursive: true });
  const { snapshot } = await importSource(await openStore(join(home, 'node', 'projects', project, 'store')), source);
  return { project, snapshot, source };
}

/** Steps that need nothing of one another, one for each shell command, for nodes of a class, on a project of their own unless one is given. */
export async function prepareSteps(
  { home, client, database }: Controller,
  steps: { commands: string[]; class: string; on?: ProjectOfSteps },
): Promise<StepsOfAJob> {
  const { project, snapshot, source } = steps.on ?? (await prepareProject(home));
  const tasks = steps.commands.map((shell, index): Task => ({
    id: `build:${index}`,
    kind: 'build',
    title: `Build ${index}`,
    command: { shell, cwd: '.' },
    env: {},
    layers: [],
    needs: [],
    outputs: [],
    tools: [],
    class: steps.class,
  }));
  await demandClass(database, steps.class);
  const plan: Plan = { languages: [], packages: [], tasks, classes: [steps.class], files: 1, bytes: 6, notes: [] };
  const planHash = await createBlobStore(join(home, 'blobs')).put(JSON.stringify(plan));
  const request = jobRequestSchema.parse({ source, cache: 'off' });
  return {
    async run(id) {
      await insertJob(database, { jobId: id, workflowId: id, project, request });
      const input: ModeInput = { jobId: id, project, request, snapshot, plan: planHash, baseline: [] };
      const output = await client.workflow.execute('building', {
        workflowId: id,
        taskQueue: orchestratorTaskQueue,
        args: [input],
      });
      const { status, summary } = (output as { phase: { status: string; summary: string } }).phase;
      if (status !== 'succeeded') throw new Error(`the steps failed: ${summary.slice(0, 500)}`);
      return output;
    },
  };
}
