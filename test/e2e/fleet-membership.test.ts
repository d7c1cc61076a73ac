import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { copyFile, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { nodeRegistrationSchema } from '../../contracts/node.ts';
import { helix } from '../cli/helix.ts';
import { withFleet } from '../support/fleet.ts';
import { withTempDir } from '../support/temp-dir.ts';

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

  it('takes in a machine by the certificates of its user and of its host, from the command line', () =>
    withTempDir(async (dir) => {
      const keygen = (...options: string[]): void => void execFileSync('ssh-keygen', ['-q', ...options]);
      const [ca, key, hostCertificate] = ['ca', 'key', 'host-cert.pub'].map((name) => join(dir, name)) as [string, string, string]; // prettier-ignore
      for (const file of [ca, key]) keygen('-t', 'ed25519', '-N', '', '-f', file);
      const config = [`TrustedUserCAKeys ${ca}.pub`, `HostCertificate ${hostCertificate}`];
      await withFleet({ machines: [{ config }] }, async ({ apiUrl, client, machines }) => {
        const { target, home } = machines[0]!;
        const { user, host, port } = target;
        const hostKey = join(home, '../host_key');
        keygen('-s', ca, '-h', '-I', 'host', '-n', host, `${hostKey}.pub`);
        await copyFile(`${hostKey}-cert.pub`, hostCertificate);
        const known = join(dir, 'known_hosts');
        await writeFile(known, `@cert-authority * ${await readFile(`${ca}.pub`, 'utf8')}`);
        const address = `${user}@${host}:${port}`;
        const add = ['--api', apiUrl, 'nodes', 'add', address, '--name', 'certified', '--key', key, '--known-hosts', known]; // prettier-ignore
        const refused = await helix(add);
        assert.equal(refused.code, 1, refused.stdout);
        assert.match(refused.stderr, /accepted none of the keys/);
        keygen('-s', ca, '-I', 'user', '-n', user, `${key}.pub`);
        const added = await helix(add);
        assert.equal(added.code, 0, added.stderr);
        assert.deepEqual(
          (await client.listNodes()).map(({ name, state }) => [name, state]),
          [['certified', 'healthy'], ['local', 'healthy']],
        ); // prettier-ignore
        await client.removeNode('certified', { purge: true });
      });
    }));
});
