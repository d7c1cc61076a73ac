import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { lookUpHost } from '../../fleet/ssh/known-hosts.ts';
import { withTempDir } from '../support/temp-dir.ts';

const key = Buffer.from('a key').toString('base64');
const other = Buffer.from('another').toString('base64');

function trusted(text: string, host: string, port = 22): string[] {
  return lookUpHost(text, host, port).trusted.map(String);
}

describe('a known_hosts file', () => {
  it('names hosts plainly, with ports, in lists and by wildcards', () => {
    assert.deepEqual(trusted(`a,b ssh-ed25519 ${key} comment`, 'B'), ['a key']);
    assert.deepEqual(trusted(`a ssh-ed25519 ${key}`, 'a', 2222), []);
    assert.deepEqual(trusted(`[a]:2222 ssh-ed25519 ${key}`, 'a', 2222), ['a key']);
    assert.deepEqual(trusted(`*.example.org,!bad.example.org ssh-ed25519 ${key}`, 'x.example.org'), ['a key']);
    assert.deepEqual(trusted(`*.example.org,!bad.example.org ssh-ed25519 ${key}`, 'bad.example.org'), []);
    assert.deepEqual(trusted(`a.b ssh-ed25519 ${key}`, 'axb'), []);
  });

  it('has comments and empty lines, which are passed over, and unknown marks', () => {
    const text = `# a ssh-ed25519 ${key}\n\n@else a ssh-ed25519 ${key}\r\na ssh-ed25519 ${other}\r\n`;
    assert.deepEqual(trusted(text, 'a'), ['another']);
  });

  it('keeps authorities apart, which without a port are so for every port', () => {
    const text = `@cert-authority *.b,!c.b ssh-ed25519 ${key}\na.b ssh-ed25519 ${other}`;
    const authorities = (host: string, port: number): string[] => lookUpHost(text, host, port).authorities.map(String);
    assert.deepEqual(authorities('A.b', 22), ['a key']);
    assert.deepEqual(authorities('a.b', 2222), ['a key']);
    assert.deepEqual(authorities('c.b', 22), []);
    assert.deepEqual(authorities('a', 22), []);
    assert.deepEqual(trusted(text, 'a.b'), ['another']);
  });

  it('keeps revoked keys apart', () => {
    const found = lookUpHost(`@revoked * ssh-ed25519 ${key}\na ssh-ed25519 ${key}`, 'a', 22);
    assert.deepEqual(found.revoked.map(String), ['a key']);
  });

  it('hashed by OpenSSH is found', () =>
    withTempDir(async (dir) => {
      const file = join(dir, 'known_hosts');
      execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', join(dir, 'k')]);
      const [type, text] = readFileSync(join(dir, 'k.pub'), 'utf8').split(' ');
      writeFileSync(file, `[host.example]:2022 ${type} ${text}\nplain ${type} ${text}\n`);
      execFileSync('ssh-keygen', ['-q', '-H', '-f', file], { stdio: 'ignore' });
      const hashed = readFileSync(file, 'utf8');
      assert.ok(!hashed.includes('host.example'));
      assert.equal(lookUpHost(hashed, 'host.example', 2022).trusted[0]?.toString('base64'), text);
      assert.equal(lookUpHost(hashed, 'plain', 22).trusted.length, 1);
      assert.equal(lookUpHost(hashed, 'other', 22).trusted.length, 0);
    }));
});
