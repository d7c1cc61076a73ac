import assert from 'node:assert/strict';
import { mkdir, writeFile } from 'node:fs/promises';
import { userInfo } from 'node:os';
import { join } from 'node:path';
import { importSshConfig } from '../../cli/node/import-ssh-config.ts';
import { withTempDir } from '../support/temp-dir.ts';

/** Runs `use` with a home that has these files in .ssh. */
function withHome(files: Record<string, string>, use: (ssh: string) => Promise<void> | void): Promise<void> {
  return withTempDir(async (home) => {
    const before = process.env.HOME;
    process.env.HOME = home;
    try {
      const ssh = join(home, '.ssh');
      await mkdir(join(ssh, 'conf.d'), { recursive: true });
      for (const [name, text] of Object.entries(files)) await writeFile(join(ssh, name), text);
      await use(ssh);
    } finally {
      process.env.HOME = before;
    }
  });
}

const config = `
# A comment
Include conf.d/*.conf
Host bastion
  HostName bastion.example.com
  User gate
  IdentityFile ~/.ssh/gate_key

Host web1 web2 !web3
  HostName %h.internal
  ProxyJump bastion
Host db
    hostname=10.0.0.5
    Port 2222
    ProxyJump ops@bastion:2200,inner
    IdentityFile ~/.ssh/missing
Host inner
  ProxyJump never.used
Host old
  ProxyCommand ssh -W %h:%p bastion
Host weird
  ProxyCommand nc -x proxy %h %p
Match exec "touch /tmp/helix-match-exec"
  User nobody
Host *.dyn
  User dynamic
  ProxyJump none
Host *
  User deploy
  IdentityFile ~/.ssh/id_%r
`;

describe('an import from ssh_config', () => {
  it('follows Include where it stands, and of each setting the first value', () =>
    withHome(
      {
        config,
        id_deploy: '',
        'conf.d/one.conf': 'Host extra\n  HostName 192.0.2.9\n  User first\n',
        'conf.d/two.conf': 'Host extra\n  Port 99\n  User second\nHost within\n',
      },
      () => {
        const { candidates } = importSshConfig(undefined, ['ext*', 'within']);
        assert.deepEqual(
          candidates.map(({ name, host, port, user }) => [name, host, port, user]),
          [
            ['extra', '192.0.2.9', 99, 'first'],
            ['within', 'within', undefined, 'deploy'],
          ],
        );
      },
    ));

  it('refuses a host whose way leads in a circle, and takes the others', () =>
    withHome({ config: 'Host a\n ProxyJump b\nHost b\n ProxyJump a\nHost c\n' }, () => {
      const { candidates, refused } = importSshConfig();
      assert.deepEqual(candidates.map(({ name }) => name), ['c']); // prettier-ignore
      assert.deepEqual(refused.map(({ name }) => name), ['a', 'b']); // prettier-ignore
      assert.match(refused[0]!.reason, /in a circle: a -> b -> a/);
    }));

  it('reads ways of several hosts, of which only the first has a way of its own', () =>
    withHome({ config, gate_key: '', id_deploy: '' }, (ssh) => {
      const { candidates, refused, notices } = importSshConfig();
      const byName = Object.fromEntries(candidates.map((candidate) => [candidate.name, candidate]));
      const gate = { host: 'bastion.example.com', user: 'gate', keyFile: join(ssh, 'gate_key') };
      const key = join(ssh, 'id_deploy');
      assert.deepEqual(Object.keys(byName), ['bastion', 'web1', 'web2', 'db', 'inner', 'old']);
      const way = { name: 'web1', host: 'web1.internal', user: 'deploy', keyFile: key, jumps: [gate] };
      assert.deepEqual(byName.web1, way);
      assert.deepEqual(byName.db, {
        name: 'db',
        host: '10.0.0.5',
        port: 2222,
        user: 'deploy',
        keyFile: key,
        jumps: [
          { ...gate, user: 'ops', port: 2200 },
          { host: 'inner', user: 'deploy', keyFile: key },
        ],
      });
      assert.deepEqual(byName.old?.jumps, [gate]);
      assert.deepEqual(
        refused.map(({ name, reason }) => [name, /ProxyCommand \(nc -x proxy .*write it as ProxyJump/.test(reason)]),
        [['weird', true]],
      );
      assert.equal(notices.filter((notice) => notice.includes('Match')).length, 1);
    }));

  it('takes a name that only a wildcard describes when it is asked for, and no other', () =>
    withHome({ config, id_deploy: '' }, () => {
      const { candidates } = importSshConfig(undefined, ['box7.dyn']);
      assert.deepEqual(candidates, [{ name: 'box7.dyn', host: 'box7.dyn', user: 'dynamic', jumps: [] }]);
      assert.throws(() => importSshConfig(undefined, ['wbe1']), /has no host that matches wbe1/);
    }));

  it('says which of the key files is missing, and follows the known hosts of a host', () =>
    withHome(
      { config: 'Host a\n  IdentityFile ~/.ssh/none-such\n  UserKnownHostsFile ~/.ssh/kh ~/.ssh/kh2\n' },
      (ssh) => {
        const { candidates, notices } = importSshConfig();
        const { username: user } = userInfo();
        assert.deepEqual(candidates, [{ name: 'a', host: 'a', user, knownHosts: join(ssh, 'kh'), jumps: [] }]);
        assert.match(notices.join('\n'), /a: .*none-such is not there; the SSH agent/);
      },
    ));

  it('says where a certificate is looked for, when it is named as lying elsewhere', () =>
    withHome(
      {
        config:
          'Host a\n  CertificateFile ~/.ssh/k-cert.pub\nHost b\n  CertificateFile ~/.ssh/b.cert\nHost *\n  IdentityFile ~/.ssh/k\n',
        k: '',
      },
      (ssh) => {
        const { notices } = importSshConfig();
        const place = join(ssh, 'k-cert.pub');
        assert.deepEqual(notices, [`b: certificatefile is not followed; a certificate is looked for as ${place}`]);
      },
    ));

  it('ends with a clear error where there is no file, or an endless one', () =>
    withHome({ config: 'Include config\nHost a\n' }, (ssh) => {
      assert.throws(() => importSshConfig(join(ssh, 'nowhere')), /nowhere cannot be read as an ssh_config file/);
      assert.throws(() => importSshConfig(), /config is included too deeply/);
    }));
});
