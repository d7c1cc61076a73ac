import assert from 'node:assert/strict';
import { mkdir, writeFile } from 'node:fs/promises';
import { userInfo } from 'node:os';
import { join } from 'node:path';
import type { NodeRecord, NodeRegistration } from '../../contracts/node.ts';
import { withApi } from '../api/with-api.ts';
import { withTempDir } from '../support/temp-dir.ts';
import { helix } from './helix.ts';

describe('helix nodes', () => {
  it('adds, lists, probes and removes', () =>
    withApi(async ({ url }) => {
      const nodes = (...args: string[]) => helix(['--api', url, 'nodes', ...args]);
      assert.match((await nodes()).stdout, /there are no nodes/);
      const options = ['--name', 'big', '--accept-new', '--slots', '7', '--label', 'rack=b', '--label', 'os=x=y'];
      const added = await nodes('add', 'me@192.0.2.7:2222', ...options, '--json');
      assert.equal(added.code, 0, added.stderr);
      const record = JSON.parse(added.stdout) as NodeRecord;
      assert.deepEqual(
        [record.name, record.ssh, record.slots, record.labels],
        ['big', { host: '192.0.2.7', port: 2222, user: 'me' }, 7, { rack: 'b', os: 'x=y' }],
      );
      for (const list of [['--json'], ['list', '--json']])
        assert.deepEqual(JSON.parse((await nodes(...list)).stdout), [record]);
      assert.match((await nodes()).stdout, /big +healthy +0\/7 +linux-x64 .*me@192\.0\.2\.7:2222/);
      assert.equal((await nodes('probe', 'big')).code, 0);
      const shown = await nodes('show', 'big');
      assert.match(shown.stdout, /^ {2}processor +2 x x64$/m);
      assert.match(shown.stdout, /^ {2}disk +8 GiB free$/m);
      assert.match(shown.stdout, /^ {2}cache +1\.5 GiB of 4 GiB$/m);
      assert.match(shown.stdout, /^ {2}tools +git 2\.39\.5$/m);
      const endless = await nodes('add', 'me@192.0.2.8', '--accept-new', '--label', 'cache-limit=much');
      assert.deepEqual([endless.code, /cache-limit is a size, such as 20GiB/.test(endless.stderr)], [2, true]);
      const removed = await nodes('remove', 'big', '--purge');
      assert.equal(removed.stdout, 'big is no longer a node, and Helix is gone from its machine\n');
      assert.equal(removed.stderr, "note: not Helix's and left in its folder: of-somebody-else\n");
      const again = await nodes('remove', 'big');
      assert.deepEqual([again.code, /no node "big"/.test(again.stderr)], [2, true]);
    }));

  it('fills in user, port, name and the known hosts of the user', () => {
    const registrations: NodeRegistration[] = [];
    return withApi(
      ({ url }) =>
        withTempDir(async (home) => {
          const add = (...args: string[]) =>
            helix(['--api', url, 'nodes', 'add', ...args], { env: { HOME: home }, cwd: home });
          const without = await add('builder.example');
          assert.equal(without.code, 2);
          assert.match(without.stderr, /known_hosts.*--fingerprint.*--accept-new/);
          await mkdir(join(home, '.ssh'));
          await writeFile(join(home, '.ssh', 'known_hosts'), '');
          await writeFile(join(home, 'key'), '');
          await add('builder.example', '--key', 'key');
          await add('[2001:db8::1]:2200');
          const user = userInfo().username;
          const hostKey = { kind: 'known-hosts', file: join(home, '.ssh', 'known_hosts') };
          assert.deepEqual(registrations, [
            {
              name: 'builder.example',
              ssh: { host: 'builder.example', port: 22, user, keyFile: join(home, 'key') },
              hostKey,
              labels: {},
            },
            { name: '2001-db8--1', ssh: { host: '2001:db8::1', port: 2200, user }, hostKey, labels: {} },
          ]);
          const refused = await add('builder.example', '--fingerprint', `SHA256:${'A'.repeat(43)}`);
          assert.equal(refused.code, 1, 'a host key that does not fit is no wrong usage');
        }),
      (deps) => ({
        ...deps,
        nodes: {
          ...deps.nodes,
          add: (registration) => {
            if (registration.hostKey.kind === 'known-hosts') registrations.push(registration);
            return deps.nodes.add({ ...registration, name: `n${registrations.length}${registration.hostKey.kind}` });
          },
        },
      }),
    );
  });
});
