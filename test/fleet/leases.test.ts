import assert from 'node:assert/strict';
import { hostname } from 'node:os';
import pino from 'pino';
import { claimNodes, dropPool, holderOf, listTenures, type NodePool, readShares, renewPool, takeNode } from '../../db/node-pools.ts'; // prettier-ignore
import type { Database } from '../../db/database.ts';
import { insertNode } from '../../db/nodes.ts';
import { PoolMembership } from '../../workers/support/pool-membership.ts';
import { nodeRecord } from '../db/samples.ts';
import { withSchema } from '../db/with-schema.ts';
import { eventually } from '../support/eventually.ts';

const pool = (id: string, pid = process.pid): NodePool => ({ id, machine: 'm', pid });

async function addNodes(database: Database, ...names: string[]): Promise<void> {
  for (const name of names) await insertNode(database, nodeRecord(name));
}

describe('leases of nodes', () => {
  it('a node belongs to one pool at a time, however many claim at once, and to each with a higher epoch', () =>
    withSchema(async (database) => {
      const names = Array.from({ length: 20 }, (_, index) => `n${index}`);
      await addNodes(database, ...names);
      const pools = ['p1', 'p2', 'p3', 'p4'];
      for (const id of pools) await renewPool(database, pool(id), 60_000);
      const claimed = await Promise.all(pools.map((id) => claimNodes(database, id, 'host', 5)));
      assert.deepEqual(claimed, [5, 5, 5, 5]);
      const held = await Promise.all(pools.map((id) => listTenures(database, id)));
      assert.equal(new Set(held.flatMap((tenures) => [...tenures.keys()])).size, 20);
      const [name, before] = [...held[0]!][0]!;
      assert.equal(await claimNodes(database, 'p2', 'host', 5), 0, 'those of living pools are not to be had');
      await dropPool(database, 'p1');
      assert.equal(await holderOf(database, name), null);
      assert.equal(await claimNodes(database, 'p2', 'host', 5), 5);
      assert.equal((await listTenures(database, 'p2')).get(name)!.epoch, before.epoch + 1);
      assert.equal((await takeNode(database, 'p3', name))!.epoch, before.epoch + 2);
      assert.equal(await holderOf(database, name), 'p3');
      assert.equal(await holderOf(database, 'nobody'), undefined);
    }));

  it('a pool that says nothing any more loses its nodes by the clock of the database', () =>
    withSchema(async (database) => {
      await addNodes(database, 'n');
      await renewPool(database, pool('p1'), 300);
      await renewPool(database, pool('p2'), 60_000);
      await claimNodes(database, 'p1', 'host', 1);
      assert.deepEqual(await readShares(database, 'p2', 'host'), { pools: 2, nodes: 1, mine: 0, free: 0 });
      await eventually('it has expired', async () => (await readShares(database, 'p2', 'host')).free === 1);
      assert.equal(await claimNodes(database, 'p2', 'host', 1), 1);
    }));

  it("the controller's own machine can be had there only, and beyond the share", () =>
    withSchema(async (database) => {
      const { ssh: _ssh, hostKey: _hostKey, ...own } = nodeRecord('own', { reach: 'local', labels: { host: 'here' } });
      await insertNode(database, own);
      await renewPool(database, pool('p1'), 60_000);
      assert.equal((await readShares(database, 'p1', 'there')).free, 0);
      assert.equal(await claimNodes(database, 'p1', 'there', 9), 0);
      assert.equal(await claimNodes(database, 'p1', 'here', 0), 1);
    }));

  it('a member takes what is free, shares with whoever joins, and takes over at once from a process that has ended', () =>
    withSchema(async (database) => {
      await addNodes(database, 'a', 'b', 'c', 'd');
      const surplus = new Map<string, number>();
      const join = async (id: string): Promise<PoolMembership> => {
        const membership = new PoolMembership({
          database,
          pool: pool(id),
          logger: pino({ level: 'silent' }),
          onChange: async () => {},
          onAlive: () => {},
          onSurplus: async (count) => void surplus.set(id, count),
        });
        assert.equal(membership.isAlive(), false, 'nothing is placed before it has joined');
        await membership.join();
        assert.equal(membership.isAlive(), true);
        return membership;
      };
      const first = await join('p1');
      assert.equal((await listTenures(database, 'p1')).size, 4);
      const second = await join('p2');
      await first.look();
      assert.deepEqual([surplus.get('p1'), (await listTenures(database, 'p2')).size], [2, 0]);
      await second.leave();
      assert.equal(second.isAlive(), false, 'nothing is placed after it has left');
      // No process has this number.
      await renewPool(database, pool('dead', 2 ** 22 + 1), 60_000);
      await takeNode(database, 'dead', 'a');
      const neighbour = new PoolMembership({
        database,
        pool: pool('p3'),
        logger: pino({ level: 'silent' }),
        onChange: async () => {},
        onAlive: () => {},
        onSurplus: async () => {},
      });
      await neighbour.join();
      assert.equal(await holderOf(database, 'a'), 'p3', hostname());
      await Promise.all([first.leave(), neighbour.leave()]);
    }));
});
