import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { readFile, stat } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { anyFreePort } from '../../infra/embedded/ports.ts';
import { ended, type Fleet, withFleet } from '../support/fleet.ts';
import { type JoiningMachine, withJoiningMachine } from '../support/joiner.ts';
import { slowProxy } from '../support/slow-proxy.ts';
import { eventually } from '../support/eventually.ts';

/** Leaves a line at its start and at its end, and takes its time. */
const slow = (marks: string, seconds: number) => `echo start $npm_package_name >> ${marks}; sleep ${seconds}; echo end $npm_package_name >> ${marks}`; // prettier-ignore

const lines = async (file: string): Promise<string[]> =>
  (await readFile(file, 'utf8').catch(() => '')).split('\n').filter(Boolean).sort();

describe('a machine that joins by itself', function () {
  this.timeout(150_000);

  it('runs steps over its own connection, comes back when that or the node-pool is lost without running anything twice, and ends when it is removed', async () => {
    const port = await anyFreePort();
    const proxy = await slowProxy(port);
    const env = { HELIX_FLEET_JOIN_HOST: '127.0.0.1', HELIX_FLEET_JOIN_PORT: String(port) };
    try {
      await withFleet({ machines: [], env }, (fleet) =>
        withJoiningMachine(async (machine) => {
          const { client } = fleet;
          assert.equal(await isOpen(port), false, 'nobody listens before there is a token');
          const address = `127.0.0.1:${proxy.port}`;
          const token = await client.makeNodeToken({ name: 'far', slots: 2, labels: { pool: 'ssh' }, address });
          assert.deepEqual(token.addresses, [address]);
          let joiner = machine.join(token.token);
          await joiner.untilItSays(/this machine is node far now/);
          const { reach, state, slots, ssh } = await fleet.node('far');
          assert.deepEqual([reach, slots, ssh], ['joined', 2, undefined]);
          assert.notEqual(state, 'unreachable');
          assert.equal((await stat(join(machine.root, 'join', 'credential.json'))).mode & 0o777, 0o600);

          fleet.startPool();
          const marks = join(fleet.dir, 'marks');
          const names = ['a', 'b'];
          const tests = Object.fromEntries(names.map((name) => [name, slow(marks, 12)]));
          const job = await fleet.startJob(await fleet.repository(tests));
          await eventually('both steps run', async () => (await lines(marks)).length === 2);
          proxy.cut();
          await joiner.untilItSays(/trying again in .*\n(.*\n)*node far is connected/);
          const before = (await fleet.node('far')).pool!;
          process.kill(Number(/-(\d+)-[0-9a-f]+$/.exec(before)![1]), 'SIGKILL');
          await eventually('another node-pool has it', async () => {
            const { pool, state: now } = await fleet.node('far');
            return pool !== undefined && pool !== before && now !== 'unreachable';
          });
          assert.equal(await ended(client, job), 'succeeded');
          assert.deepEqual(await lines(marks), ['end a', 'end b', 'start a', 'start b']);
          const steps = (await client.listSteps(job)).filter(({ taskId }) => taskId !== 'install');
          assert.deepEqual(new Set(steps.map(({ node }) => node)), new Set(['far']));

          await refusals(fleet, machine, token.token, address);
          await race(fleet, address);

          joiner.process.kill('SIGTERM');
          assert.equal(await joiner.ended, 0, joiner.said());
          await eventually('it is unreachable', async () => (await fleet.node('far')).state === 'unreachable');
          joiner = machine.join();
          await joiner.untilItSays(/node far is connected/);
          await eventually('it is reachable', async () => (await fleet.node('far')).state !== 'unreachable');

          assert.deepEqual(await client.removeNode('far', { purge: true }), { left: [] });
          assert.equal(await joiner.ended, 1, joiner.said());
          assert.match(joiner.said(), /no longer a node of the controller/);
          assert.equal(existsSync(machine.root), false, 'a purge leaves nothing');
          await eventually('nobody listens any more', async () => !(await isOpen(port)));
        }),
      );
    } finally {
      await proxy.close();
    }
  });
});

/** What the controller does not let in, with the reason; its node stays as it is. */
async function refusals(fleet: Fleet, member: JoiningMachine, used: string, address: string): Promise<void> {
  const { client } = fleet;
  const make = (more: Parameters<typeof client.makeNodeToken>[0] = {}) => client.makeNodeToken({ address, ...more });
  const refused = async (machine: JoiningMachine, token: string, reason: RegExp, code = 1): Promise<void> => {
    const joiner = machine.join(token);
    assert.equal(await joiner.ended, code, joiner.said());
    assert.match(joiner.said(), reason);
    assert.equal(existsSync(join(machine.root, 'join', 'pending.json')), false);
  };
  const expired = await make({ expiresMs: 1_000 });
  const revoked = await make();
  await client.revokeNodeToken(revoked.id);
  await sleep(1_000);
  const nameTaken = await make({ name: 'far' });
  const second = await make({ name: 'second' });
  await withJoiningMachine(async (stranger) => {
    await Promise.all([
      refused(stranger, used, /was used at .* for node far: make another one/),
      refused(stranger, expired.token, /expired at/),
      refused(stranger, revoked.token, /was revoked/),
      refused(stranger, nameTaken.token, /a node named far is registered already/, 2),
      refused(member, second.token, /second is the machine that is registered as far/, 2),
    ]);
  });
  const open = (await client.listNodeTokens()).filter(({ state }) => state === 'open');
  assert.deepEqual(open.map(({ name }) => name), ['second', 'far']); // prettier-ignore
  for (const { id } of open) await client.revokeNodeToken(id);
  assert.deepEqual((await client.listNodes()).map(({ name }) => name), ['far', 'local']); // prettier-ignore
}

/** Of two machines that come with one token at the same moment one is let in; the other one, of which nothing stays, is told. */
async function race({ client }: Fleet, address: string): Promise<void> {
  const { token } = await client.makeNodeToken({ address, name: 'first' });
  await withJoiningMachine((one) =>
    withJoiningMachine(async (other) => {
      const joiners = [one, other].map((machine) => machine.join(token));
      const isIn = (joiner: (typeof joiners)[number]) => /this machine is node first now/.test(joiner.said());
      await eventually('one is let in', async () => joiners.some(isIn));
      const loser = joiners.find((joiner) => !isIn(joiner))!;
      assert.notEqual(await loser.ended, 0, loser.said());
      assert.match(loser.said(), /was used at .* for node first|named first is registered already/);
      assert.equal(joiners.filter(isIn).length, 1);
      assert.deepEqual(await client.removeNode('first', { purge: true }), { left: [] });
      await Promise.all(joiners.map(({ ended: end }) => end));
    }),
  );
}

function isOpen(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.once('connect', () => resolve(true)).once('error', () => resolve(false));
    socket.once('connect', () => socket.destroy());
  });
}
