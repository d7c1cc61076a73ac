import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { nodeRegistrationSchema } from '../../contracts/node.ts';
import { withFleet } from '../support/fleet.ts';

describe('a fleet whose machines come and go', () => {
  it('takes in what is right, refuses what is not with nothing left on record, and purges', () =>
    withFleet(
      { machines: [{}, {}, { loginShell: '/usr/sbin/nologin' }] },
      async ({ client, machines, addMachine, node }) => {
        const [first, gate, closed] = machines;
        // With so many slots that it is not called overloaded for what other tests do beside it.
        const added = await addMachine(0, 32);
        const names = async () => (await client.listNodes()).map(({ name }) => name);
        const before = await names();
        const register = async (name: string, ssh: object) =>
          await client.addNode(nodeRegistrationSchema.parse({ name, ssh, hostKey: { kind: 'accept-new' } }));

        await assert.rejects(register('no-shell', closed!.target), { code: 'node.unsuitable' });
        await assert.rejects(register('stranger', { ...first!.target, user: 'nobody-here' }), {
          code: 'node.authentication',
        });
        await assert.rejects(register('twin', first!.target), {
          code: 'node.same-machine',
          message: new RegExp(`registered as ${added.name} `),
        });
        await assert.rejects(register(added.name, gate!.target), { code: 'node.name-taken' });
        assert.deepEqual(await names(), before);
        assert.equal((await node(added.name)).state, 'healthy');

        // Through another host, whose key is on record from then on.
        const jumps = [{ ...gate!.target, hostKey: { kind: 'accept-new' } }];
        const far = await register('far', { ...first!.target, root: '~/second', jumps });
        assert.deepEqual(far.ssh?.jumps?.[0]?.hostKey, { kind: 'fingerprint', sha256: await gate!.hostKey() });
        assert.equal((await client.probeNode('far')).facts.machine?.id, added.facts.machine?.id);
        const view = await client.getClass('linux && git && memory>=1MiB && !controller');
        assert.deepEqual(view.serving.map((one) => one.node).sort(), [added.name, 'far'].sort());

        assert.deepEqual(await client.removeNode('far', { purge: true }), { left: [] });
        assert.ok(!existsSync(join(first!.home, 'second')));
        assert.ok(existsSync(join(first!.home, '.helix')));
        assert.deepEqual(await names(), before);
        await assert.rejects(client.removeNode('local', { purge: true }), { code: 'usage.invalid' });
      },
    ));
});
