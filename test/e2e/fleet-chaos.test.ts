import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { dirname } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { Client, Connection } from '@temporalio/client';
import type { HelixClient } from '../../client/client.ts';
import type { JobEventData } from '../../contracts/event.ts';
import { openDatabase } from '../../db/database.ts';
import { pathWith, systemPrograms } from '../support/few-programs.ts';
import { type Fleet, withFleet } from '../support/fleet.ts';
import type { Sshd } from '../support/sshd.ts';
import { prepareSteps } from '../support/steps-of-a-job.ts';
import { withTempDir } from '../support/temp-dir.ts';
import { eventually } from '../support/eventually.ts';

const run = promisify(execFile);
const seed = Number(process.env['HELIX_TEST_SEED'] ?? 20_261_121);
const jobId = 'job-chaos0000000';

/** Numbers from 0 to below a limit, the same ones for the same seed (mulberry32). */
function random(start: number): (limit: number) => number {
  let state = start;
  return (limit) => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) % limit;
  };
}

/** Machines with few programs, so that they are quickly in the fleet. */
async function withMachines(count: number, use: (fleet: Fleet) => Promise<void>): Promise<void> {
  await withTempDir(async (dir) => {
    const path = `${pathWith(dir, [...systemPrograms, 'git', 'true', 'stat', 'date', 'tee'])}:${dirname(process.execPath)}`;
    const machines = Array.from({ length: count }, (_, index) => ({ path, address: `127.2.0.${index + 1}` }));
    await withFleet({ machines }, async (fleet) => {
      const waiting = fleet.machines.keys();
      const lane = async (): Promise<void> => {
        for (const index of waiting) await fleet.addMachine(index);
      };
      await Promise.all([lane(), lane(), lane(), lane()]);
      await use(fleet);
    });
  });
}

describe('a fleet of many machines', () => {
  it('gives every step exactly one result while faults hit its machines and its node-pool, and everything is free and gone at the end', async function () {
    this.timeout(600_000);
    await withMachines(20, async (fleet) => {
      const next = random(seed);
      const commands = Array.from(
        { length: 200 },
        (_, index) =>
          `echo begin ${index} | tee result; sleep ${(2 + next(40) / 10).toFixed(1)}0471; echo end ${index}`,
      );
      const faults = startFaults(fleet, next);
      try {
        await runSteps(fleet, commands);
      } finally {
        await faults.end();
      }
      console.log(`      seed ${seed}: ${faults.happened.join(', ')}`);
      assert.ok(faults.happened.length >= 10, 'the steps took long enough for faults to hit them');

      const finished = (await allEvents(fleet.client)).filter((data) => data.type === 'step.finished');
      const results = new Map(finished.map(({ executionId, exitCode, end }) => [executionId, `${end} ${exitCode}`]));
      assert.equal(finished.length, 200, 'one result is told of each step');
      assert.deepEqual([results.size, new Set(results.values())], [200, new Set(['exited 0'])]);
      for (const { number, taskId } of await fleet.client.listSteps(jobId)) {
        const index = taskId.slice('build:'.length);
        assert.equal(await logOf(fleet.client, number), `begin ${index}\nend ${index}\n`);
      }
      await untilFreeAndGone(fleet);
    });
  });

  it('takes in a hundred, uses them all at once, and lets them go', async function () {
    this.timeout(600_000);
    await withMachines(100, async (fleet) => {
      await runSteps(
        fleet,
        Array.from({ length: 400 }, () => 'sleep 3.00471'),
      );
      const { client } = fleet;
      const used = new Set((await client.listSteps(jobId)).map(({ node }) => node));
      assert.equal(used.size, 100);
      await untilFreeAndGone(fleet);
    });
  });
});

/** Throws when a step does not end well. */
async function runSteps({ home, databaseUrl, temporalAddress }: Fleet, commands: string[]): Promise<void> {
  const connection = await Connection.connect({ address: temporalAddress });
  const database = openDatabase(databaseUrl);
  try {
    const controller = { home, database, client: new Client({ connection }) };
    await (await prepareSteps(controller, { commands, class: 'pool=ssh' })).run(jobId);
  } finally {
    await database.close();
    await connection.close();
  }
}

async function allEvents(client: HelixClient): Promise<JobEventData[]> {
  const all: JobEventData[] = [];
  for (;;) {
    const page = await client.readEvents(jobId, { after: all.length, limit: 1000 });
    if (page.length === 0) return all;
    all.push(...page.map(({ data }) => data));
  }
}

async function logOf(client: HelixClient, step: number): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of client.stepLog(jobId, step)) chunks.push(Buffer.from(chunk));
  return Buffer.concat(chunks).toString();
}

type Fault = (machine: Sshd) => Promise<void>;

/** Once, since for as long as it takes to come back nothing else can go wrong. */
const poolDiesAfter = 9;

/** Hits a machine every few seconds and heals it after a while; once it hits the node-pool. */
function startFaults(
  { machines, killPool }: Fleet,
  next: (limit: number) => number,
): { happened: readonly string[]; end(): Promise<void> } {
  const faults: Record<string, Fault> = {
    'connections killed': async (machine) => machine.killConnections(),
    'agent killed': async (machine) => {
      for (const { pid, command } of machine.processes())
        if (/ serve --root /.test(command)) process.kill(pid, 'SIGKILL');
    },
    'sshd stopped': async (machine) => {
      await machine.stop();
      await sleep(1_000 + next(8_000));
      await machine.start();
    },
    'frozen for a moment': async (machine) => {
      machine.freezeAll();
      await sleep(1_000 + next(4_000));
      machine.thaw();
    },
    'frozen for long': async (machine) => {
      machine.freezeAll();
      await sleep(20_000);
      machine.thaw();
    },
    'switched off': async (machine) => {
      await machine.switchOff();
      await sleep(3_000 + next(8_000));
      await machine.start();
    },
  };
  const stop = new AbortController();
  const happened: string[] = [];
  const left: string[] = [];
  const broken = new Set<Sshd>();
  const healing: Promise<void>[] = [];
  const ended = (async () => {
    for (;;) {
      await sleep(1_500 + next(1_500), undefined, { signal: stop.signal }).catch(() => undefined);
      if (stop.signal.aborted) return;
      if (happened.length === poolDiesAfter) {
        happened.push('node-pool killed');
        killPool();
        continue;
      }
      // Each of them once before one comes again.
      if (left.length === 0) left.push(...Object.keys(faults));
      const [name] = left.splice(next(left.length), 1) as [string];
      const well = machines.filter((machine) => !broken.has(machine));
      const machine = well[next(well.length)]!;
      broken.add(machine);
      happened.push(name);
      healing.push(faults[name]!(machine).finally(() => broken.delete(machine)));
    }
  })();
  return {
    happened,
    async end() {
      stop.abort();
      await ended;
      await Promise.all(healing);
    },
  };
}

/** No slot is taken, and no command runs on any machine. */
async function untilFreeAndGone({ client }: Fleet): Promise<void> {
  await eventually(
    'every slot is free',
    async () => {
      const nodes = (await client.listNodes()).filter(({ ssh }) => ssh);
      return nodes.every(({ state, busy }) => state !== 'unreachable' && busy === 0);
    },
    60_000,
  );
  await eventually(
    'no command is left',
    async () => {
      const { stdout } = await run('/bin/sh', ['-c', 'pgrep -x -f "sleep [0-9.]*0471" || true']);
      return stdout === '';
    },
    60_000,
  );
}
