import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Database } from '../../db/database.ts';
import {
  abandonTrial,
  type Admission,
  admitCall,
  openCircuits,
  reportFault,
  reportWell,
  takeTokens,
} from '../../db/llm-providers.ts';
import { withSchema } from './with-schema.ts';

describe('the circuit of a provider', () => {
  const fail = async (database: Database, times: number): Promise<void> => {
    for (let time = 0; time < times; time += 1) await reportFault(database, 'a', 'HTTP 500', false);
  };
  const passes = async (database: Database, seconds: number): Promise<void> => {
    await database.query(`update llm_providers set open_until = open_until - $1 * interval '1 second'`, [seconds]);
  };
  const waitOf = (admission: Admission): number => (admission.admitted ? 0 : admission.waitMs);

  it('opens after faults in a row, not after as many with an answer between them, and is one per provider', () =>
    withSchema(async (database) => {
      await fail(database, 2);
      await reportWell(database, 'a');
      await fail(database, 2);
      assert.deepEqual(await admitCall(database, 'a'), { admitted: true, faults: 2, isTrial: false });
      assert.deepEqual(await openCircuits(database), []);
      await fail(database, 1);
      const refused = await admitCall(database, 'a');
      assert.ok(!refused.admitted && refused.reason === 'HTTP 500' && refused.faults === 3);
      assert.ok(refused.waitMs > 1_000 && refused.waitMs <= 2_000, `${refused.waitMs}`);
      assert.equal((await admitCall(database, 'b')).admitted, true);
      assert.deepEqual(
        (await openCircuits(database)).map(({ provider, faults }) => [provider, faults]),
        [['a', 3]],
      );
    }));

  it('lets one of all that ask at the same moment through after the pause, and closes when it is answered', () =>
    withSchema(async (database) => {
      await fail(database, 3);
      await passes(database, 3);
      const asked = await Promise.all(Array.from({ length: 10 }, () => admitCall(database, 'a')));
      const admitted = asked.filter((admission) => admission.admitted);
      assert.deepEqual(admitted, [{ admitted: true, faults: 3, isTrial: true }]);
      await reportWell(database, 'a');
      assert.equal((await admitCall(database, 'a')).admitted, true);
    }));

  it('pauses twice as long after each trial that failed, up to a minute', () =>
    withSchema(async (database) => {
      await fail(database, 3);
      const pauses: number[] = [];
      for (let trial = 0; trial < 7; trial += 1) {
        pauses.push(Math.round(waitOf(await admitCall(database, 'a')) / 1_000));
        await passes(database, 61);
        assert.equal((await admitCall(database, 'a')).admitted, true);
        await reportFault(database, 'a', 'HTTP 500', true);
      }
      assert.deepEqual(pauses, [2, 4, 8, 16, 32, 60, 60]);
    }));

  it('does not pause longer for calls that were under way when it opened', () =>
    withSchema(async (database) => {
      await fail(database, 20);
      assert.ok(waitOf(await admitCall(database, 'a')) <= 2_000);
    }));

  it('is not held up by a trial that was abandoned or never heard of again', () =>
    withSchema(async (database) => {
      await fail(database, 3);
      await passes(database, 3);
      assert.equal((await admitCall(database, 'a')).admitted, true);
      assert.equal((await admitCall(database, 'a')).admitted, false);
      await abandonTrial(database, 'a');
      assert.equal((await admitCall(database, 'a')).admitted, true);
      await passes(database, 61);
      assert.equal((await admitCall(database, 'a')).admitted, true);
    }));
});

describe("the tokens of a provider's minute", () => {
  it('go at once up to a minute’s worth, and then each call has its place in the line', () =>
    withSchema(async (database) => {
      const take = (amount: number): Promise<number> => takeTokens(database, 'a', amount, 6_000);
      assert.equal(await take(6_000), 0);
      const first = await take(600);
      const second = await take(600);
      assert.ok(first > 5_000 && first <= 6_000, `${first}`);
      assert.ok(second > 11_000 && second <= 12_000, `${second}`);
      await take(-1_200);
      assert.ok((await take(300)) <= 3_000);
    }));

  it('are never given out twice, however many ask at once', () =>
    withSchema(async (database) => {
      const waits = await Promise.all(Array.from({ length: 40 }, () => takeTokens(database, 'a', 1_000, 10_000)));
      waits.sort((a, b) => a - b);
      // In any minute a bucket and what flows in: ten at once, then one every six seconds.
      assert.deepEqual(
        waits.slice(0, 10),
        Array.from({ length: 10 }, () => 0),
      );
      for (const [index, wait] of waits.slice(10).entries())
        assert.ok(Math.abs(wait - 6_000 * (index + 1)) < 1_500, `${index}: ${wait}`);
    }));

  it('let a call through that is larger than a minute’s worth, and make the next ones wait for it', () =>
    withSchema(async (database) => {
      assert.equal(await takeTokens(database, 'a', 9_000, 6_000), 0);
      const next = await takeTokens(database, 'a', 600, 6_000);
      assert.ok(next > 34_000 && next <= 36_000, `${next}`);
    }));

  it('come back evenly', () =>
    withSchema(async (database) => {
      await takeTokens(database, 'a', 60_000, 60_000);
      await sleep(300);
      assert.ok((await takeTokens(database, 'a', 0, 60_000)) === 0);
      assert.equal(await takeTokens(database, 'a', 200, 60_000), 0);
    }));
});
