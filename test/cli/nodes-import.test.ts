import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { NodeRecord } from '../../contracts/node.ts';
import { withApi } from '../api/with-api.ts';
import { withTempDir } from '../support/temp-dir.ts';
import { helix } from './helix.ts';

const inventory = `
[web]
web[1:2] ansible_host=192.0.2.1 ansible_user=ops
taken ansible_host=192.0.2.3
bad ansible_host={{x}}
`;

describe('helix nodes import', () => {
  it('shows what it would do, then registers what it can, says why not the rest, and ends with 1', () =>
    withApi(({ url }) =>
      withTempDir(async (dir) => {
        const nodes = (...args: string[]) => helix(['--api', url, 'nodes', ...args], { env: { HOME: dir } });
        const file = join(dir, 'hosts');
        await writeFile(file, inventory);
        await nodes('add', 'me@192.0.2.9', '--name', 'taken', '--accept-new');
        const options = ['--ansible', file, '--accept-new', '--label', 'site=x'];

        const dry = await nodes('import', ...options, '--dry-run');
        assert.match(dry.stdout, /^web1: ops@192\.0\.2\.1:22, accepting its host key, web=true, site=x$/m);
        assert.equal(dry.code, 1);
        assert.equal((JSON.parse((await nodes('--json')).stdout) as NodeRecord[]).length, 1);

        const done = await nodes('import', ...options);
        assert.equal(done.code, 1);
        assert.match(done.stdout, /^web1: registered \(linux-x64, 2 slots\)$/m);
        assert.match(done.stdout, /^bad: not registered: ansible_host is a template/m);
        assert.match(done.stdout, /^taken: not registered: there is a node "taken" already$/m);
        assert.match(done.stderr, /^2 of 4 machines are not registered$/m);
        const records = JSON.parse((await nodes('--json')).stdout) as NodeRecord[];
        assert.deepEqual(records.map(({ name }) => name), ['taken', 'web1', 'web2']); // prettier-ignore
        assert.deepEqual(records[1]!.labels, { web: 'true', site: 'x' });
      }),
    ));

  it('takes ways through other hosts from ssh_config and from options alike', () =>
    withApi(({ url }) =>
      withTempDir(async (dir) => {
        const nodes = (...args: string[]) => helix(['--api', url, 'nodes', ...args], { env: { HOME: dir }, cwd: dir });
        const config = join(dir, 'config');
        await writeFile(config, 'Host far\n  User u\n  ProxyJump gate:23\nHost gate\n  User g\nHost skipped\n');
        const imported = await nodes('import', '--ssh-config', config, 'far', '--accept-new', '--json');
        assert.equal(imported.code, 0, imported.stderr);
        const [result] = JSON.parse(imported.stdout) as { node: NodeRecord }[];
        const jumps = [{ host: 'gate', port: 23, user: 'g', hostKey: { kind: 'accept-new' } }];
        assert.deepEqual(result!.node.ssh, { host: 'far', port: 22, user: 'u', jumps });

        const added = await nodes('add', 'u@far', '--name', 'second', '--jump', 'g@gate:23', '--accept-new', '--json');
        assert.equal(added.code, 0, added.stderr);
        assert.deepEqual((JSON.parse(added.stdout) as NodeRecord).ssh?.jumps, jumps);
        assert.match(added.stderr, /^$/);
      }),
    ));

  it('says what is missing before anything is asked of a server', async () => {
    const refused = async (args: string[], message: RegExp) => {
      const { code, stderr } = await helix(['--api', 'http://127.0.0.1:9', 'nodes', ...args]);
      assert.equal(code, 2, stderr);
      assert.match(stderr, message);
    };
    await refused(['import'], /one of --ssh-config, --ansible and --json-file/);
    await refused(['import', '--ansible', '/nowhere'], /the inventory \/nowhere cannot be read/);
    await refused(['add', 'h', '--accept-new', '--passphrase', 'env:X'], /--passphrase goes with --key/);
    await refused(['add', 'h', '--accept-new', '--root', '/'], /a root is a folder below/);
  });
});
