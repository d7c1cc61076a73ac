import assert from 'node:assert/strict';
import { getListener, listListeners, saveListener, dropListener } from '../../db/join-listeners.ts';
import { getToken, insertToken, listTokens, redeemToken, revokeToken, whoMayJoin } from '../../db/join-tokens.ts';
import { dropPool, findJoined, listJoined, listTenures, renewPool } from '../../db/node-pools.ts';
import { insertNode } from '../../db/nodes.ts';
import { nodeRecord } from './samples.ts';
import { withSchema } from './with-schema.ts';

const hour = 3_600_000;

describe('the records of tokens to join with', () => {
  it('let one machine use a token, of many at once, as long as it is open', () =>
    withSchema(async (database) => {
      assert.deepEqual(await whoMayJoin(database), { tokens: false, nodes: false });
      await insertToken(database, 'open', { name: 'n', slots: 3, labels: { rack: 'b' }, expiresMs: hour });
      await insertToken(database, 'revoked', { labels: {}, expiresMs: hour });
      await insertToken(database, 'expired', { labels: {}, expiresMs: 1 });
      assert.equal(await revokeToken(database, 'revoked'), true);
      await new Promise((resolve) => setTimeout(resolve, 10));
      const used = await Promise.all(['a', 'b', 'c', 'd'].map((node) => redeemToken(database, 'open', node)));
      assert.equal(used.filter(Boolean).length, 1);
      for (const id of ['open', 'revoked', 'expired', 'unknown']) {
        assert.equal(await redeemToken(database, id, 'late'), false, id);
        assert.equal(await revokeToken(database, id), false, id);
      }
      const states = (await listTokens(database)).map(({ id, state }) => [id, state]);
      assert.deepEqual(Object.fromEntries(states), { open: 'used', revoked: 'revoked', expired: 'expired' });
      const { name, slots, labels, node } = (await getToken(database, 'open'))!;
      assert.deepEqual([name, slots, labels, node], ['n', 3, { rack: 'b' }, 'abcd'[used.indexOf(true)]]);
      assert.deepEqual(await whoMayJoin(database), { tokens: false, nodes: false });
    }));

  it('know a joined node by its registration, and no other', () =>
    withSchema(async (database) => {
      const { ssh: _ssh, hostKey: _hostKey, ...joined } = nodeRecord('far', { reach: 'joined' });
      const registration = '00000000-0000-4000-8000-000000000000';
      await insertNode(database, joined, { holder: { pool: 'p', registration } });
      await insertNode(database, nodeRecord('near'), { holder: { pool: 'p', registration: registration.replace('4', '5') } }); // prettier-ignore
      const [near] = [...(await listTenures(database, 'p'))].filter(([name]) => name === 'near');
      assert.deepEqual(await findJoined(database, registration), { name: 'far', pool: 'p' });
      assert.equal(await findJoined(database, near![1].registration), undefined);
      assert.equal(await findJoined(database, 'no-uuid'), undefined);
      assert.deepEqual(await listJoined(database), new Set([registration]));
      assert.deepEqual(await whoMayJoin(database), { tokens: false, nodes: true });
    }));

  it('let one node-pool of a host listen, and remember the port', () =>
    withSchema(async (database) => {
      for (const id of ['one', 'two']) await renewPool(database, { id, machine: 'm', pid: 1 }, hour);
      const record = { host: 'h', wanted: 8642, port: 8643, addresses: ['192.0.2.1'], pool: 'one' };
      assert.equal(await saveListener(database, record), true);
      assert.equal(await saveListener(database, { ...record, port: 1, pool: 'two' }), false, 'one listens');
      assert.deepEqual(await listListeners(database), [record]);
      await dropListener(database, 'one');
      assert.deepEqual(await getListener(database, 'h'), { ...record, pool: null });
      assert.deepEqual(await listListeners(database), []);
      assert.equal(await saveListener(database, { ...record, pool: 'two' }), true);
      await dropPool(database, 'two');
      assert.deepEqual(await getListener(database, 'h'), { ...record, pool: null });
      assert.equal(await saveListener(database, record), true, 'of the dead nobody listens');
    }));
});
