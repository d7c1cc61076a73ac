import assert from 'node:assert/strict';
import type { Database } from '../../db/database.ts';
import {
  closeModelCall,
  closeModelCallsOf,
  findModelCall,
  getModelCall,
  recordAnswered,
  recordRefused,
  recordSent,
} from '../../db/model-calls.ts';
import { appendEvents, readEvents } from '../../db/events.ts';
import { addJob, note } from './samples.ts';
import { withSchema } from './with-schema.ts';

describe('the record of model calls', () => {
  const most = { usd: 0.5, tokens: 1_000 };
  const model = 'anthropic/claude-sonnet-5-5';

  async function answer(database: Database, callId: string, usd: number): Promise<void> {
    const spent = { calls: 1, inputTokens: 100, outputTokens: 10, cacheReadTokens: 50, usd };
    const result = { kind: 'answer', head: 'h', stopReason: 'end', text: '', spent } as const;
    await recordAnswered(database, callId, result, usd);
  }

  it('counts a closed call with all that was sent and not refused, and lets no attempt of it be sent any more', () =>
    withSchema(async (database) => {
      const call = { callId: 'a', jobId: await addJob(database), turn: 'turn', model };
      for (let attempt = 0; attempt < 3; attempt += 1) await recordSent(database, call, most);
      await recordRefused(database, 'a', most);
      const spent = await closeModelCall(database, call);
      assert.deepEqual([spent.calls, spent.outputTokens, spent.usd], [0, 2_000, 1]);
      await assert.rejects(recordSent(database, call, most), /nobody waits/);
      assert.deepEqual((await closeModelCall(database, call)).outputTokens, 2_000, 'closing again changes nothing');
      assert.equal((await findModelCall(database, 'a'))!.sentTokens, 2_000);
      assert.deepEqual(await getModelCall(database, call.jobId, 'a'), { hasEnded: true });
    }));

  it('is written together with events by several at once, none of which waits for another that waits for it', () =>
    withSchema(async (database) => {
      const jobId = await addJob(database);
      // Each has written its call before any appends.
      let written = 0;
      const { promise: allWritten, resolve } = Promise.withResolvers<void>();
      const calls = ['a', 'b', 'c', 'd'].map((callId) =>
        database.transaction(async (transaction) => {
          await recordSent(transaction, { callId, jobId, turn: 'turn', model }, most);
          if ((written += 1) === 4) resolve();
          await allWritten;
          await appendEvents(transaction, jobId, [note(callId)]);
        }),
      );
      await Promise.all(calls);
      assert.equal((await readEvents(database, jobId, 0, 100)).length, 4);
    }));

  it('closes a call before its first attempt was sent', () =>
    withSchema(async (database) => {
      const call = { callId: 'a', jobId: await addJob(database), turn: 'turn', model };
      assert.equal((await closeModelCall(database, call)).usd, 0);
      await assert.rejects(recordSent(database, call, most), { code: 'job.wrong-state' });
    }));

  it('counts an answered call with what it cost, even when it is closed after', () =>
    withSchema(async (database) => {
      const call = { callId: 'a', jobId: await addJob(database), turn: 'turn', model };
      await recordSent(database, call, most);
      await answer(database, 'a', 0.25);
      const { activeMs: _, ...spent } = await closeModelCall(database, call);
      assert.deepEqual(spent, { calls: 1, inputTokens: 100, outputTokens: 10, cacheReadTokens: 50, usd: 0.25 });
    }));

  it('sums up a workflow with those below it, and no other whose name begins alike', () =>
    withSchema(async (database) => {
      const jobId = await addJob(database);
      for (const [callId, turn] of Object.entries({ a: 'job/x-1', b: 'job/x-1/1', c: 'job/x-10', d: 'job/x_1/2' }))
        await recordSent(database, { callId, jobId, turn, model }, most);
      await answer(database, 'b', 0.125);
      const spent = await closeModelCallsOf(database, jobId, 'job/x-1');
      assert.deepEqual([spent.calls, spent.inputTokens + spent.outputTokens, spent.usd], [1, 1_110, 0.625]);
      assert.equal((await getModelCall(database, jobId, 'c'))!.hasEnded, false);
    }));
});
