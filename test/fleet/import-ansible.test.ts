import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import type { Found } from '../../cli/node/found.ts';
import { importAnsible } from '../../cli/node/import-ansible.ts';
import { importJson } from '../../cli/node/import-json.ts';
import { withTempDir } from '../support/temp-dir.ts';

function read(name: string, text: string, use: (found: Found) => void): Promise<void> {
  return withTempDir(async (dir) => {
    const file = join(dir, name);
    await writeFile(file, text);
    use(name === 'nodes.json' ? importJson(file) : importAnsible(file));
  });
}

function failsWith(name: string, text: string, message: RegExp): Promise<void> {
  return withTempDir(async (dir) => {
    const file = join(dir, name);
    await writeFile(file, text);
    assert.throws(() => (name === 'nodes.json' ? importJson(file) : importAnsible(file)), {
      code: 'usage.invalid',
      message,
    });
  });
}

const ini = `
; hosts that belong to no group
lone ansible_host=192.0.2.1 ansible_port=2200  # a comment
other.example:2222

[web]
web[01:03:2] ansible_user="web user"
[builders]
build-[a:b] ansible_ssh_private_key_file='~/keys/build key'

[linux:children]
web
builders

[linux:vars]
ansible_user = ops
ansible_ssh_common_args='-o StrictHostKeyChecking=no -o "ProxyCommand=ssh -W %h:%p -q gate@192.0.2.2"'

[builders:vars]
ansible_user=builder
[all:vars]
ansible_user=everyone
ansible_ssh_common_args=-J hop1,me@hop2:23
`;

describe('an import from an Ansible inventory', () => {
  it('reads INI: groups, children, variables by their precedence, ranges', () =>
    read('hosts', ini, ({ candidates, refused, notices }) => {
      const hops = [
        { user: 'everyone', host: 'hop1' },
        { host: 'hop2', user: 'me', port: 23 },
      ];
      const gate = { host: '192.0.2.2', user: 'gate' };
      const keyFile = join(homedir(), 'keys/build key');
      assert.deepEqual(refused, []);
      assert.deepEqual(candidates, [
        { name: 'lone', host: '192.0.2.1', port: 2200, user: 'everyone', jumps: hops, labels: {} },
        { name: 'other.example', host: 'other.example', port: 2222, user: 'everyone', jumps: hops, labels: {} },
        ...['web01', 'web03'].map((name) => ({
          name,
          host: name,
          user: 'web user',
          jumps: [gate],
          labels: { linux: 'true', web: 'true' },
        })),
        ...['build-a', 'build-b'].map((name) => ({
          name,
          host: name,
          user: 'builder',
          keyFile,
          jumps: [{ keyFile, ...gate }],
          labels: { linux: 'true', builders: 'true' },
        })),
      ]);
      assert.match(notices.join('\n'), /web01: the SSH option StrictHostKeyChecking is not followed/);
    }));

  it('reads YAML, with the same groups nested', () =>
    read(
      'hosts.yml',
      `
all:
  vars: {ansible_user: everyone}
  hosts:
    lone: {ansible_host: 192.0.2.1, ansible_port: 2200}
  children:
    linux:
      vars: {ansible_user: ops}
      children:
        web:
          hosts:
            web[01:02]:
        empty:
`,
      ({ candidates, notices }) => {
        assert.deepEqual(candidates, [
          { name: 'lone', host: '192.0.2.1', port: 2200, user: 'everyone', jumps: [], labels: {} },
          ...['web01', 'web02'].map((name) => ({
            name,
            host: name,
            user: 'ops',
            jumps: [],
            labels: { linux: 'true', web: 'true' },
          })),
        ]);
        assert.deepEqual(notices, ['group empty has no hosts']);
      },
    ));

  it('refuses what it cannot follow host by host, and passes over what is not reached by SSH', () =>
    read(
      'hosts',
      'a ansible_host="{{ secret }}"\nb ansible_ssh_common_args="-o ProxyCommand=\'nc %h %p\'"\n' +
        'c ansible_connection=local\nd ansible_connection=winrm\ne ansible_password=x\n',
      ({ candidates, refused, notices }) => {
        assert.deepEqual(candidates.map(({ name }) => name), ['e']); // prettier-ignore
        assert.deepEqual(refused.map(({ name }) => name), ['a', 'b']); // prettier-ignore
        assert.match(refused[0]!.reason, /ansible_host is a template/);
        assert.match(refused[1]!.reason, /ProxyCommand \(nc %h %p\), which is not supported/);
        assert.deepEqual(notices, [
          'c is passed over: its connection is local',
          'd is passed over: its connection is winrm',
          'e: passwords are not used; it needs a key',
        ]);
      },
    ));

  it('says in which line it is wrong', async () => {
    await failsWith('hosts', 'a\n[web:parents]\n', /line 2: there are no sections ":parents"/);
    await failsWith('hosts', 'a ansible_user="x\n', /line 1: a quote is not closed/);
    await failsWith('hosts', 'web[5:1]\n', /line 1: "web\[5:1\]" is no range of hosts/);
    await failsWith('hosts', 'web[1:99999999]\n', /is no range of hosts/);
    await failsWith('hosts', '[web]\n', /has no hosts/);
    await failsWith('hosts.yml', 'all: [a, b]\n', /it is no inventory/);
    await failsWith('hosts', '#!/usr/bin/python3\n', /is a program: save what "ansible-inventory --list -y" prints/);
  });
});

describe('an import from a JSON list', () => {
  it('takes what is right and refuses what is not, entry by entry', () =>
    read(
      'nodes.json',
      JSON.stringify([
        { host: '192.0.2.1', user: 'me', labels: { rack: 'b' }, jumps: [{ host: 'gate', fingerprint: 'SHA256:x' }] },
        { name: 'two', host: 'h', slots: 'many' },
        { name: 'three', host: 'h', sudo: true },
        'four',
      ]),
      ({ candidates, refused }) => {
        const jumps = [{ host: 'gate', fingerprint: 'SHA256:x' }];
        assert.deepEqual(candidates, [{ name: '192.0.2.1', host: '192.0.2.1', user: 'me', labels: { rack: 'b' }, jumps }]); // prettier-ignore
        assert.deepEqual(refused.map(({ name }) => name), ['two', 'three', 'entry 4']); // prettier-ignore
        assert.match(refused[0]!.reason, /^slots: .*number/);
        assert.match(refused[1]!.reason, /sudo/);
      },
    ));

  it('ends with a clear error for anything but a list', async () => {
    await failsWith('nodes.json', '{"host": "a"}', /holds no list: write \[\{"host"/);
    await failsWith('nodes.json', '[', /cannot be read as JSON/);
  });
});
