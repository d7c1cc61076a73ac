import assert from 'node:assert/strict';
import { chmod, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { JobEventData } from '../../contracts/event.ts';
import { ended, type Fleet, withFleet } from '../support/fleet.ts';
import { eventually } from '../support/eventually.ts';

const systemPath = `${dirname(process.execPath)}:/usr/local/bin:/usr/bin:/bin`;
const names = ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h'];

/** Two machines whose paths begin with a folder of each one's own, where the first one has a tool that works. */
async function withTools<T>(
  use: (fleet: Fleet, makeTool: (machine: number) => Promise<void>) => Promise<T>,
): Promise<T> {
  const dir = await mkdtemp(join(tmpdir(), 'helix-tools-'));
  const folder = (machine: number): string => join(dir, String(machine));
  const makeTool = async (machine: number): Promise<void> => {
    await writeFile(join(folder(machine), 'frobnicate'), '#!/bin/sh\necho frobnicated\n');
    await chmod(join(folder(machine), 'frobnicate'), 0o755);
  };
  try {
    await Promise.all([mkdir(folder(0)), mkdir(folder(1))]);
    await makeTool(0);
    const machines = [0, 1].map((machine) => ({ path: `${folder(machine)}:${systemPath}` }));
    return await withFleet({ machines, env: { HELIX_FLEET_QUARANTINE_MS: '2000' } }, async (fleet) => {
      await Promise.all([fleet.addMachine(0), fleet.addMachine(1)]);
      return await use(fleet, makeTool);
    });
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
}

describe('the life of nodes', () => {
  it('a node on which steps fail that others pass is put into quarantine, costs no job anything, and comes back when it is mended', () =>
    withTools(async (fleet, makeTool) => {
      const { client } = fleet;
      const repository = await fleet.repository(
        Object.fromEntries(names.map((name) => [name, 'frobnicate && sleep 1'])),
      );
      const jobId = await fleet.startJob(repository);
      const quarantined = await eventually('the broken node is in quarantine', async () => {
        const node = await fleet.node('m1');
        return node.state === 'quarantined' && node;
      });
      assert.match(
        quarantined.reason!,
        /"npm .*test.*": a command was not found \(exit code 127\), unlike on another node/,
      );
      assert.ok(quarantined.quarantine!.reasons.length >= 3);
      assert.equal(await ended(client, jobId), 'succeeded');
      const tests = (await client.listSteps(jobId)).filter(({ taskId }) => taskId.startsWith('test'));
      assert.deepEqual([...new Set(tests.map(({ node, exitCode }) => `${node} ${exitCode}`))], ['m0 0']);
      assert.equal((await fleet.node('m0')).quarantine, undefined);

      await makeTool(1);
      await eventually('it is let out by itself', async () => (await fleet.node('m1')).quarantine === undefined);
      const states = (await client.listNodeEvents('m1')).map(({ state }) => state);
      assert.ok(states.includes('quarantined') && states[0] !== 'quarantined', states.join());
      const again = await fleet.startJob(repository);
      assert.equal(await ended(client, again), 'succeeded');
      const where = (await client.listSteps(again)).filter(({ taskId }) => taskId.startsWith('test'));
      assert.deepEqual(new Set(where.map(({ node }) => node)), new Set(['m0', 'm1']), 'it gets steps again');
    }));

  it('a drained node lets steps end or hands them back at the limit, and a cordoned one takes none', () =>
    withFleet({ machines: [{}, {}] }, async (fleet) => {
      const { client } = fleet;
      await Promise.all([fleet.addMachine(0), fleet.addMachine(1)]);
      await client.cordonNode('m1', 'new kernel');
      assert.deepEqual([(await fleet.node('m1')).state, (await fleet.node('m1')).reason], ['cordoned', 'new kernel']);
      const marks = join(fleet.dir, 'marks');
      const slow = (seconds: number) => `echo start >> ${marks}; sleep ${seconds}; echo end >> ${marks}`;
      const jobId = await fleet.startJob(await fleet.repository({ a: slow(30), b: slow(3) }));
      const started = async () => (await readFile(marks, 'utf8').catch(() => '')).split('start').length - 1;
      await eventually('both run', async () => (await started()) === 2);
      const events = (await client.readEvents(jobId)).map(({ data }) => data);
      const starts = events.filter(
        (event): event is StepStarted => event.type === 'step.started' && event.taskId !== 'install',
      );
      assert.deepEqual([...new Set(starts.map(({ node }) => node))], ['m0']);
      assert.ok(starts.every(({ why, waitedMs }) => why === 'the only node of its class' && waitedMs! >= 0));

      await client.uncordonNode('m1');
      await client.drainNode('m0', { limitMs: 5_000, reason: 'retired soon' });
      assert.equal((await fleet.node('m0')).state, 'draining');
      await eventually('it is drained', async () => (await fleet.node('m0')).state === 'cordoned');
      assert.match((await fleet.node('m0')).reason!, /drained: retired soon/);
      const steps = await eventually('the long step runs elsewhere', async () => {
        const all = await client.listSteps(jobId);
        return all.some(({ node, state }) => node === 'm1' && state === 'running') && all;
      });
      assert.deepEqual(steps.filter(({ state, node }) => state === 'succeeded' && node === 'm0').length >= 1, true);
      await client.retireNode('m0', { limitMs: 0 });
      await eventually('it is gone', async () => (await client.listNodes()).every(({ name }) => name !== 'm0'));
      await client.cancel(jobId);
      assert.equal(await ended(client, jobId), 'cancelled');
      await assert.rejects(client.cordonNode('m0'), { code: 'node.not-found' });
    }));
});

type StepStarted = Extract<JobEventData, { type: 'step.started' }>;
