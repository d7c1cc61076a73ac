import assert from 'node:assert/strict';
import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { joinAddress, ownAddresses, splitAddress } from '../../fleet/join/address.ts';
import { formatIdentity, loadControllerKey, parseIdentity, secretOf } from '../../fleet/join/controller-key.ts';
import { formatToken, parseToken } from '../../fleet/join/token.ts';
import { redactText } from '../../observability/redact.ts';
import { withTempDir } from '../support/temp-dir.ts';

const token = { addresses: ['192.0.2.1:8642', '[2001:db8::1]:8642'], id: '0123456789abcdef', secret: 'A'.repeat(43) };

describe('a token to join with', () => {
  it('is one word that carries where, which and the secret, and is never logged', () => {
    const text = formatToken(token);
    assert.match(text, /^hxjoin1_[A-Za-z0-9_-]+$/);
    assert.deepEqual(parseToken(` ${text}\n`), token);
    assert.equal(redactText(`run helix node join ${text} there`), 'run helix node join [redacted] there');
  });

  it('is refused when a part of it is missing or was changed, without being shown', () => {
    const text = formatToken(token);
    const wrong: [string, RegExp][] = [
      [text.slice(0, -1), /not whole/],
      [text.slice(0, -20), /not whole/],
      [`${text.slice(0, 30)}${text[30] === 'x' ? 'y' : 'x'}${text.slice(31)}`, /not whole/],
      ['hxjoin1_', /not whole/],
      [text.slice(3), /begins with hxjoin1_/],
      ['', /begins with hxjoin1_/],
      [formatToken({ ...token, addresses: [] }), /another version/],
    ];
    for (const [bad, reason] of wrong) {
      assert.throws(
        () => parseToken(bad),
        (error: Error) => reason.test(error.message) && (bad.length < 20 || !error.message.includes(bad.slice(8, 20))),
        bad,
      );
    }
  });
});

describe('the key of a controller', () => {
  it('is made once, for its user alone, and gives each identity a secret of its own', () =>
    withTempDir(async (dir) => {
      const file = join(dir, 'home', 'key');
      const key = loadControllerKey(file);
      assert.equal(key.length, 32);
      assert.equal(statSync(file).mode & 0o777, 0o600);
      assert.deepEqual(loadControllerKey(file), key);
      assert.deepEqual(readdirSync(join(dir, 'home')), ['key']);
      const identities = [
        { kind: 'token', id: token.id },
        { kind: 'node', id: token.id },
        { kind: 'token', id: '0123456789abcdee' },
      ] as const;
      const secrets = identities.map((identity) => secretOf(key, identity).toString('hex'));
      assert.equal(new Set(secrets).size, 3);
      assert.equal(secrets[0], secretOf(key, identities[0]).toString('hex'));
      assert.notEqual(secrets[0], secretOf(loadControllerKey(join(dir, 'other')), identities[0]).toString('hex'));
      for (const identity of identities) assert.deepEqual(parseIdentity(formatIdentity(identity)), identity);
      for (const text of ['', 'token', 'root:0123456789abcdef', `token:${'a'.repeat(50)}`, "node:x' or true"])
        assert.equal(parseIdentity(text), undefined, text);
      assert.ok(!readFileSync(file, 'utf8').includes(secrets[0]));
      writeFileSync(file, 'something else');
      assert.throws(() => loadControllerKey(file), /does not hold the key of this controller/);
    }));
});

describe('addresses of a controller', () => {
  it('are hosts with a port or without, of every kind', () => {
    assert.deepEqual(splitAddress('build.example'), { host: 'build.example' });
    assert.deepEqual(splitAddress('192.0.2.1:99'), { host: '192.0.2.1', port: 99 });
    assert.deepEqual(splitAddress('[2001:db8::1]:99'), { host: '2001:db8::1', port: 99 });
    assert.deepEqual(splitAddress('2001:db8::1'), { host: '2001:db8::1' });
    for (const bad of ['', 'a b', 'a:0', 'a:65536', 'a:b', 'user@host', 'http://a/', '[a]:1', ':1'])
      assert.equal(splitAddress(bad), undefined, bad);
    for (const address of ownAddresses().map((host) => joinAddress(host, 1)))
      assert.equal(splitAddress(address)?.port, 1, address);
  });
});
