import assert from 'node:assert/strict';
import { join } from 'node:path';
import type { NewNodeToken, NodeToken } from '../../contracts/node.ts';
import { saveListener } from '../../db/join-listeners.ts';
import { redeemToken } from '../../db/join-tokens.ts';
import { renewPool } from '../../db/node-pools.ts';
import { parseToken } from '../../fleet/join/token.ts';
import { withApi } from '../api/with-api.ts';
import { withTempDir } from '../support/temp-dir.ts';
import { execute } from '../support/stack.ts';
import { helix } from './helix.ts';

describe('helix nodes token', () => {
  it('prints the command to run on the machine once, lists what became of tokens, and revokes', () =>
    withApi(async ({ url, database }) => {
      const nodes = (...args: string[]) => helix(['--api', url, 'nodes', ...args]);
      const nobody = await nodes('token');
      assert.deepEqual([nobody.code, /no node-pool listens/.test(nobody.stderr)], [3, true]);
      await renewPool(database, { id: 'p', machine: 'm', pid: 1 }, 60_000);
      const addresses = ['192.0.2.1', '2001:db8::1', 'build.example'];
      await saveListener(database, { host: 'h', wanted: 8642, port: 8650, addresses, pool: 'p' });

      const made = await nodes('token', '--name', 'far', '--slots', '3', '--label', 'rack=b', '--expires', '2h', '--json'); // prettier-ignore
      assert.equal(made.code, 0, made.stderr);
      const { id, token, command, expiresAt } = JSON.parse(made.stdout) as NewNodeToken & { command: string };
      assert.equal(command, `helix node join ${token}`);
      assert.deepEqual(parseToken(token).addresses, ['192.0.2.1:8650', '[2001:db8::1]:8650', 'build.example:8650']);
      assert.ok(Math.abs(Date.parse(expiresAt) - Date.now() - 7_200_000) < 10_000);

      const text = await nodes('token', '--address', 'gate.example:99');
      const [, word] = /^ {2}helix node join (\S+)$/m.exec(text.stdout) ?? [];
      assert.deepEqual(parseToken(word!).addresses, ['gate.example:99']);

      assert.equal(await redeemToken(database, id, 'far'), true);
      const listed = JSON.parse((await nodes('tokens', '--json')).stdout) as NodeToken[];
      assert.deepEqual(
        listed.map(({ state, name, slots, labels, node }) => ({ state, name, slots, labels, node })),
        [
          { state: 'open', name: undefined, slots: undefined, labels: {}, node: undefined },
          { state: 'used', name: 'far', slots: 3, labels: { rack: 'b' }, node: 'far' },
          { state: 'revoked', name: undefined, slots: undefined, labels: {}, node: undefined },
        ],
      );
      const { rows } = await database.query<{ row: string }>('select t::text as row from join_tokens t');
      assert.ok(
        rows.every(({ row }) => !row.includes(parseToken(token).secret)),
        'no secret is in the database',
      );

      const revoked = await nodes('token', '--revoke', listed[0]!.id);
      assert.equal(revoked.stdout, `token ${listed[0]!.id} is revoked\n`);
      const again = await nodes('token', '--revoke', id);
      assert.deepEqual([again.code, /cannot be revoked, it is used/.test(again.stderr)], [2, true]);
      assert.match((await nodes('tokens')).stdout, new RegExp(`${id} +used +far .* far +rack=b`));
    }));

  it('gives the one file with which a machine that has only Node joins', () =>
    withTempDir((dir) =>
      withApi(async ({ url, database }) => {
        await renewPool(database, { id: 'p', machine: 'm', pid: 1 }, 60_000);
        await saveListener(database, { host: 'h', wanted: 1, port: 1, addresses: ['127.0.0.1'], pool: 'p' });
        const program = join(dir, 'join.mjs');
        const made = await helix(['--api', url, 'nodes', 'token', '--program', program]);
        assert.equal(made.code, 0, made.stderr);
        const [, token] = /^ {2}node join\.mjs (\S+)$/m.exec(made.stdout) ?? [];
        const joinWith = (...words: string[]) => execute(process.execPath, [program, ...words], { cwd: '/', env: { HOME: dir } }); // prettier-ignore
        const [reached, without, wrong] = await Promise.all([joinWith(token!), joinWith(), joinWith('--rot', 'x')]);
        assert.deepEqual([reached.code, without.code, wrong.code], [1, 2, 2]);
        assert.match(
          reached.stderr,
          /^helix: the controller cannot be reached \(127\.0\.0\.1:1: nothing listens there\)/,
        );
        assert.match(without.stderr, /^helix: this machine has not joined/);
        assert.match(wrong.stderr, /usage: node /);
        const before = (await database.query('select from join_tokens')).rowCount;
        const unwritable = await helix(['--api', url, 'nodes', 'token', '--program', join(dir, 'no', 'join.mjs')]);
        assert.deepEqual([unwritable.code, /--program: .* cannot be written/.test(unwritable.stderr)], [2, true]);
        assert.equal((await database.query('select from join_tokens')).rowCount, before, 'no token is lost');
      }),
    ));

  it('says what is wrong with what it is given', () =>
    withApi(async ({ url }) => {
      const wrong: [string[], RegExp][] = [
        [['--address', 'http://here/'], /address is "http:\/\/here\/"; allowed is HOST, HOST:PORT/],
        [['--expires', 'tomorrow'], /--expires takes a time/],
        [['--expires', '1000h'], /expiresMs/],
        [['--name', 'a b'], /a node name is made of/],
        [['--label', 'rack'], /--label takes NAME=VALUE/],
        [['--slots', 'many'], /slots/],
        [['--revoke', 'x'], /--revoke takes the id/],
      ];
      const outputs = await Promise.all(wrong.map(([args]) => helix(['--api', url, 'nodes', 'token', ...args])));
      for (const [index, { code, stderr }] of outputs.entries()) {
        assert.equal(code, 2, stderr);
        assert.match(stderr, wrong[index]![1]);
      }
    }));
});

describe('helix node join', () => {
  it('says before it connects anywhere that a token is needed, or is none', () =>
    withTempDir(async (dir) => {
      const joinWith = (...args: string[]) =>
        helix(['node', 'join', ...args], { env: { HOME: dir }, input: 'hxjoin1_x\n' });
      const [without, wrong, piped] = await Promise.all([
        joinWith(),
        joinWith('abc', '--root', `${dir}/r`),
        joinWith('-'),
      ]);
      assert.deepEqual([without.code, wrong.code, piped.code], [2, 2, 2]);
      assert.match(without.stderr, /\.helix holds no credential.*helix nodes token/);
      assert.match(wrong.stderr, /begins with hxjoin1_/);
      assert.match(piped.stderr, /the token is not whole/);
    }));
});
