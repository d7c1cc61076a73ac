import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { chmod, mkdir, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { ended, withFleet } from '../support/fleet.ts';
import { eventually } from '../support/eventually.ts';

describe('machines that fail in the middle of a job', () => {
  it('a machine that freezes and a full disk send their steps elsewhere; a result that comes late is not used, and nothing stays behind', () =>
    withFleet({ machines: [{}, {}] }, async (fleet) => {
      const { client, machines } = fleet;
      const [first] = machines;
      const root = join(first!.home, 'small');
      await mkdir(root);
      await chmod(root, 0o700);
      execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=8m', 'tmpfs', root]);
      try {
        await Promise.all([fleet.addMachine(0, 2, root), fleet.addMachine(1)]);
        await client.cordonNode('m1');
        const frozen = await fleet.startJob(await fleet.repository({ b: 'sleep 8; date +%N > ended; cat ended' }));
        await untilRunning(frozen);
        await client.uncordonNode('m1');
        first!.freezeAll();
        assert.equal(await ended(client, frozen), 'succeeded');
        const [step] = (await client.listSteps(frozen)).filter(({ taskId }) => taskId !== 'install');
        const log = await logOf(frozen, step!.number);
        assert.deepEqual([step!.node, step!.attempt > 1], ['m1', true]);
        first!.thaw();
        await eventually('it is back', async () => (await fleet.node('m0')).state !== 'unreachable');
        await eventually('what it ran is given up', async () => (await readdir(join(root, 'executions'))).filter((name) => !name.startsWith('.')).length === 0); // prettier-ignore
        const [after] = (await client.listSteps(frozen)).filter(({ taskId }) => taskId !== 'install');
        assert.deepEqual(after, step, 'the late result changes nothing');
        assert.equal(await logOf(frozen, step!.number), log);
        assert.equal((await fleet.node('m0')).busy, 0);

        await client.cordonNode('m1');
        const full = await fleet.startJob(
          await fleet.repository({ a: 'sleep 5; head -c 20000000 /dev/urandom > big' }),
        );
        await untilRunning(full);
        await client.uncordonNode('m1');
        assert.equal(await ended(client, full), 'succeeded');
        const tests = (await client.listSteps(full)).filter(({ taskId }) => taskId !== 'install');
        assert.deepEqual(tests.map(({ node }) => node), ['m1']); // prettier-ignore
        const events = (await client.readEvents(full)).map(({ data }) => data);
        const why = events.find((event) => event.type === 'step.interrupted');
        assert.match(why!.reason, /the disk of m0 is full .*another node is asked/);
      } finally {
        first!.thaw();
        await client.removeNode('m0').catch(() => undefined);
        execFileSync('umount', ['-l', root]);
      }

      async function untilRunning(jobId: string): Promise<void> {
        await eventually('its test runs on the first machine', async () => {
          const steps = await client.listSteps(jobId);
          return steps.some(({ state, node, taskId }) => state === 'running' && node === 'm0' && taskId !== 'install');
        });
      }

      async function logOf(jobId: string, step: number): Promise<string> {
        const chunks: Uint8Array[] = [];
        for await (const chunk of client.stepLog(jobId, step)) chunks.push(chunk);
        return Buffer.concat(chunks).toString();
      }
    }));
});
