import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { Client, Connection } from '@temporalio/client';
import { openDatabase } from '../db/database.ts';
import { loadConfig } from '../config/load.ts';
import { readStackState } from '../infra/embedded/stack.ts';
import { startStack } from '../test/support/stack.ts';
import { cpuSeconds } from './processes.ts';
import { median } from './compare.ts';
import type { BenchRow } from './row.ts';
import { prepareSteps } from '../test/support/steps-of-a-job.ts';

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
    const { run: startOurs } = await prepareSteps(
      { home: stack.home, client, database },
      { commands: Array.from({ length: stepsPerRound }, () => command), class: 'git' },
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
