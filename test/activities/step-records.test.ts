import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  finishedRecord,
  startedRecord,
  type StepRecord,
  StepRecorder,
  waitingRecord,
} from '../../activities/step-records.ts';
import { type Database, openDatabase } from '../../db/database.ts';
import { readEvents } from '../../db/events.ts';
import { lookupSteps } from '../../db/step-cache.ts';
import { listSteps, type StepIdentity } from '../../db/steps.ts';
import { addJob, stepResult as result } from '../db/samples.ts';
import { withSchema } from '../db/with-schema.ts';

const identity = (jobId: string, taskId: string): StepIdentity => ({
  jobId,
  taskId,
  title: `Do ${taskId}`,
  phase: 'building',
  executionId: `${jobId}/${taskId}`,
});

const started = (jobId: string, taskId: string): StepRecord =>
  startedRecord({ ...identity(jobId, taskId), node: 'n', attempt: 1 }, 5, 'it is free');

const finished = (jobId: string, taskId: string): StepRecord =>
  finishedRecord({ identity: identity(jobId, taskId), attempt: 1, result });

/** Tells of what is recorded when it was, as the names of steps and of what became of them. */
async function saysOf(database: Database, jobId: string): Promise<string[]> {
  const events = await readEvents(database, jobId, 0, 1000);
  return events.map(({ data }) => ('taskId' in data ? `${data.taskId} ${data.type}` : data.type));
}

/** Counts transactions, and holds the first until it is let go. */
function watched(database: Database): { database: Database; count(): number; letGo(): void } {
  let count = 0;
  const { promise: gate, resolve: letGo } = Promise.withResolvers<void>();
  const transaction: Database['transaction'] = async (work) => {
    count += 1;
    if (count === 1) await gate;
    return await database.transaction(work);
  };
  return { database: { ...database, transaction }, count: () => count, letGo };
}

describe('the recorder of steps', () => {
  it('takes together what comes while it writes, in its order, and each step once at a time', () =>
    withSchema(async (database) => {
      const jobId = await addJob(database);
      const hold = watched(database);
      const recorder = new StepRecorder(hold.database);
      const first = recorder.record(jobId, started(jobId, 'a'));
      const rest = [
        recorder.record(jobId, started(jobId, 'b')),
        recorder.record(jobId, finished(jobId, 'a')),
        recorder.record(jobId, started(jobId, 'c')),
        recorder.record(jobId, finished(jobId, 'b')),
        recorder.record(jobId, finished(jobId, 'c')),
      ];
      await sleep(20);
      assert.deepEqual(await saysOf(database, jobId), []);
      hold.letGo();
      await first;
      await Promise.all(rest);
      assert.equal(hold.count(), 3);
      assert.deepEqual(await saysOf(database, jobId), [
        'a step.started',
        'b step.started',
        'a step.finished',
        'c step.started',
        'b step.finished',
        'c step.finished',
      ]);
      assert.deepEqual(
        (await listSteps(database, jobId)).map(({ taskId, state }) => [taskId, state]),
        ['a', 'b', 'c'].map((name) => [name, 'succeeded']),
      );
    }));

  it('does not hold up one job for another', () =>
    withSchema(async (database) => {
      const [slow, quick] = [await addJob(database), await addJob(database)];
      const hold = watched(database);
      const recorder = new StepRecorder(hold.database);
      const first = recorder.record(slow, started(slow, 'a'));
      await recorder.record(quick, started(quick, 'a'));
      assert.deepEqual(await saysOf(database, slow), []);
      hold.letGo();
      await first;
    }));

  it('fails alone what is at fault alone, and nothing of it stays', () =>
    withSchema(async (database) => {
      const jobId = await addJob(database);
      const hold = watched(database);
      const recorder = new StepRecorder(hold.database);
      const first = recorder.record(jobId, started(jobId, 'a'));
      const good = recorder.record(jobId, started(jobId, 'b'));
      const broken = started(jobId, 'c');
      broken.event.at = 'no time at all';
      const bad = recorder.record(jobId, broken);
      hold.letGo();
      await Promise.all([first, good, assert.rejects(bad, /timestamp/)]);
      assert.deepEqual(await saysOf(database, jobId), ['a step.started', 'b step.started']);
      assert.deepEqual(
        (await listSteps(database, jobId)).map(({ taskId }) => taskId),
        ['a', 'b'],
      );
    }));

  it('fails all when the database is away, without asking again for each', async () => {
    const away = openDatabase('postgres://127.0.0.1:1/none');
    let count = 0;
    const transaction: Database['transaction'] = (work) => {
      count += 1;
      return away.transaction(work);
    };
    const recorder = new StepRecorder({ ...away, transaction });
    const all = ['a', 'b', 'c'].map((name) => recorder.record('job', started('job', name)));
    await Promise.all(all.map((one) => assert.rejects(one, { code: 'stack.unreachable' })));
    assert.equal(count, 2);
    await away.close();
  });

  it('says a thing once however often it is told, and keeps a result with the end that it belongs to', () =>
    withSchema(async (database) => {
      const jobId = await addJob(database);
      const recorder = new StepRecorder(database);
      const step = identity(jobId, 'a');
      const keep = { key: 'k', project: 'p', result };
      for (const _ of [1, 2]) {
        await recorder.record(jobId, waitingRecord(step, 'linux', new Date()));
        await recorder.record(jobId, started(jobId, 'a'));
        await recorder.record(jobId, finishedRecord({ identity: step, attempt: 1, result }, keep));
      }
      assert.deepEqual(await saysOf(database, jobId), ['a step.waiting', 'a step.started', 'a step.finished']);
      assert.deepEqual(await lookupSteps(database, ['k']), new Map([['k', result]]));
    }));
});
