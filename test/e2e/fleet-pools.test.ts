import assert from 'node:assert/strict';
import type { ChildProcess } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ended, type Fleet, kill, withFleet } from '../support/fleet.ts';
import { eventually } from '../support/eventually.ts';

/** Leaves a line at its start and at its end, and takes its time. */
const slow = (marks: string, seconds: number) => `echo start $npm_package_name >> ${marks}; sleep ${seconds}; echo end $npm_package_name >> ${marks}`; // prettier-ignore

const lines = async (file: string): Promise<string[]> =>
  (await readFile(file, 'utf8').catch(() => '')).split('\n').filter(Boolean).sort();

describe('several node-pools that share a fleet', function () {
  this.timeout(150_000);

  it('share the nodes out, use no slot twice, and take over within 10 s from one that is killed or frozen, without running anything twice', () =>
    withFleet({ machines: [{}, {}] }, async (fleet) => {
      const { client } = fleet;
      await Promise.all([fleet.addMachine(0), fleet.addMachine(1)]);
      const marks = join(fleet.dir, 'marks');
      const started = async () => (await lines(marks)).filter((line) => line.startsWith('start')).length;
      const tests = (names: readonly string[], seconds: number) =>
        fleet.repository(Object.fromEntries(names.map((name) => [name, slow(marks, seconds)])));

      const killed = fleet.startPool();
      const first = await untilShared(fleet, killed);
      const five = await fleet.startJob(await tests(['a', 'b', 'c', 'd', 'e'], 8));
      await eventually('all four slots are taken', async () => (await started()) >= 4);
      const steps = await client.listSteps(five);
      assert.equal(steps.filter(({ state, node }) => state === 'running' && node === first.node).length, 2);
      assert.equal(await started(), 4, 'the fifth waits: no slot is used twice');
      await kill(killed);
      await untilTakenOver(fleet, first);
      assert.equal(await ended(client, five), 'succeeded');
      const resumed = (await client.listSteps(five)).filter(({ node, attempt }) => node === first.node && attempt > 1);
      assert.ok(resumed.length > 0, 'a step of the killed pool was gone on with');

      const frozen = fleet.startPool();
      const second = await untilShared(fleet, frozen);
      const four = await fleet.startJob(await tests(['f', 'g', 'h', 'i'], 8));
      await eventually('all four run', async () => (await started()) === 9);
      frozen.kill('SIGSTOP');
      await untilTakenOver(fleet, second);
      const two = await fleet.startJob(await tests(['j', 'k'], 1));
      frozen.kill('SIGCONT');
      assert.deepEqual([await ended(client, four), await ended(client, two)], ['succeeded', 'succeeded']);
      assert.deepEqual(
        await lines(marks),
        'abcdefghijk'
          .split('')
          .flatMap((name) => [`end ${name}`, `start ${name}`])
          .sort(),
      );
    }));
});

/** A machine and the pool that it belongs to. */
interface Held {
  node: string;
  pool: string;
}

/** Waits until each pool has a machine, and gives that of the process. */
async function untilShared({ client }: Fleet, { pid }: ChildProcess): Promise<Held> {
  return await eventually('every pool has a machine', async () => {
    const machines = (await client.listNodes()).filter(({ ssh }) => ssh);
    const mine = machines.filter(({ pool }) => pool?.includes(`-${pid}-`));
    const isConnected = machines.every(({ pool, state }) => pool !== undefined && state !== 'unreachable');
    return isConnected && mine.length === 1 && { node: mine[0]!.name, pool: mine[0]!.pool! };
  });
}

async function untilTakenOver({ client }: Fleet, { node, pool }: Held): Promise<void> {
  const since = Date.now();
  await eventually('another pool has the machine', async () => {
    const machine = (await client.listNodes()).find(({ name }) => name === node);
    return machine?.pool !== undefined && machine.pool !== pool;
  });
  assert.ok(Date.now() - since < 10_000, `taken over after ${Date.now() - since} ms`);
}
