import assert from 'node:assert/strict';
import type { Database } from '../../db/database.ts';
import { appendEvents } from '../../db/events.ts';
import { closeModelCall, recordAnswered, recordSent } from '../../db/model-calls.ts';
import { readUsage } from '../../db/usage.ts';
import { addJob } from './samples.ts';
import { withSchema } from './with-schema.ts';

describe('what calls of models took', () => {
  interface Call {
    jobId: string;
    callId: string;
    model?: string;
    turn?: string;
    usd?: number | null;
  }

  async function send(database: Database, { jobId, callId, model = 'a/one', turn = jobId }: Call): Promise<void> {
    await recordSent(database, { callId, jobId, turn, model }, { usd: 0.5, tokens: 1_000 });
  }

  async function ask(database: Database, call: Call): Promise<void> {
    await send(database, call);
    const spent = { calls: 1, inputTokens: 100, outputTokens: 10, cacheReadTokens: 75, usd: call.usd ?? 0 };
    const result = { kind: 'answer', head: 'h', stopReason: 'end', text: '', spent } as const;
    await recordAnswered(database, call.callId, result, call.usd === undefined ? 0.01 : call.usd);
  }

  it('is put together by model, provider, project, job, agent, call, user and day', () =>
    withSchema(async (database) => {
      const anna = await addJob(database, { user: 'anna', goal: 'tidy up' });
      const nobody = await addJob(database);
      await ask(database, { jobId: anna, callId: '1', turn: `${anna}/agent-1` });
      await ask(database, { jobId: anna, callId: '2', model: 'a/two', usd: 0.02 });
      await ask(database, { jobId: nobody, callId: '3', model: 'b/one' });
      const data = {
        type: 'model.asked',
        turn: `${anna}/agent-1`,
        title: 'Plan',
        callId: '1',
        model: 'a/one',
        attempt: 1,
      } as const;
      await appendEvents(database, anna, [{ key: '1:asked:1', at: new Date().toISOString(), data }]);
      const keys = async (by: Parameters<typeof readUsage>[1]['by']): Promise<[string, string | null, number][]> =>
        (await readUsage(database, { by })).rows.map(({ key, title, calls }) => [key, title, calls]);
      assert.deepEqual(await keys('model'), [
        ['a/two', null, 1],
        ['a/one', null, 1],
        ['b/one', null, 1],
      ]);
      assert.deepEqual(await keys('provider'), [
        ['a', null, 2],
        ['b', null, 1],
      ]);
      assert.deepEqual(await keys('project'), [['sample', '/projects/sample', 3]]);
      assert.deepEqual(await keys('job'), [
        [anna, 'tidy up', 2],
        [nobody, null, 1],
      ]);
      assert.deepEqual(
        (await keys('agent')).find(([key]) => key.endsWith('agent-1')),
        [`${anna}/agent-1`, 'Plan', 1],
      );
      assert.deepEqual(await keys('call'), [
        ['1', 'a/one, Plan', 1],
        ['2', 'a/two', 1],
        ['3', 'b/one', 1],
      ]);
      assert.deepEqual(await keys('user'), [
        ['anna', null, 2],
        ['unknown', null, 1],
      ]);
      assert.deepEqual(await keys('day'), [[new Date().toISOString().slice(0, 10), null, 3]]);
      const { total } = await readUsage(database, { by: 'day' });
      assert.ok(Math.abs(total.usd - 0.04) < 1e-9);
      assert.deepEqual(
        { ...total, usd: 0 },
        { calls: 3, lostCalls: 0, inputTokens: 300, outputTokens: 30, cacheReadTokens: 225, usd: 0, unpricedCalls: 0 },
      );
    }));

  it('counts a price that is not known as unknown, a call that was given up with all it could have cost, and one under way not yet', () =>
    withSchema(async (database) => {
      const jobId = await addJob(database);
      await ask(database, { jobId, callId: '1', usd: null });
      await send(database, { jobId, callId: '2' });
      await send(database, { jobId, callId: '3' });
      await closeModelCall(database, { callId: '3', jobId, turn: jobId });
      await closeModelCall(database, { callId: 'never sent', jobId, turn: jobId });
      const { total } = await readUsage(database, { by: 'model' });
      assert.deepEqual(total, {
        calls: 1,
        lostCalls: 1,
        inputTokens: 100,
        outputTokens: 1_010,
        cacheReadTokens: 75,
        usd: 0.5,
        unpricedCalls: 1,
      });
    }));

  it('is that of one job, and since a time, when asked so', () =>
    withSchema(async (database) => {
      const [one, other] = [await addJob(database), await addJob(database)];
      await ask(database, { jobId: one, callId: '1' });
      await ask(database, { jobId: other, callId: '2' });
      const calls = async (filter: { job?: string; since?: string }): Promise<number> =>
        (await readUsage(database, { by: 'model', ...filter })).total.calls;
      assert.equal(await calls({ job: one }), 1);
      assert.equal(await calls({ since: new Date(Date.now() - 60_000).toISOString() }), 2);
      assert.equal(await calls({ since: new Date(Date.now() + 60_000).toISOString() }), 0);
    }));
});
