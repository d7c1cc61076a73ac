import assert from 'node:assert/strict';
import { type StepView, stepViewSchema } from '../../contracts/job.ts';
import { finishStep, findStep, getStep, listSteps, setWaiting, startStep, type StepStart } from '../../db/steps.ts';
import { addJob } from './samples.ts';
import { withSchema } from './with-schema.ts';

const outcome = { state: 'succeeded' as const, exitCode: 0, end: 'exited', logBytes: 10, durationMs: 5 };

describe('the records of steps', () => {
  it('number steps within their job without gaps, also when many start at once, and keep the number on a retry', () =>
    withSchema(async (database) => {
      const jobs = [await addJob(database), await addJob(database)];
      await Promise.all(
        jobs.flatMap((jobId) =>
          Array.from({ length: 15 }, (_, index) => startStep(database, step(jobId, `s${index}`))),
        ),
      );
      for (const jobId of jobs) {
        const steps = await listSteps(database, jobId);
        assert.deepEqual(
          steps.map(({ number }) => number),
          Array.from({ length: 15 }, (_, index) => index + 1),
        );
        const [first] = steps;
        const again = await startStep(database, { ...step(jobId, first!.taskId), node: 'other', attempt: 2 });
        assert.deepEqual([again.number, again.node, again.attempt], [1, 'other', 2]);
        assert.deepEqual(stepViewSchema.parse(again), again);
      }
    }));

  it('number a step once when it is delivered many times at the same moment', () =>
    withSchema(async (database) => {
      const jobId = await addJob(database);
      // Connections are there already, so that all arrive together.
      await Promise.all(Array.from({ length: 8 }, () => database.query('select pg_sleep(0.05)')));
      const views = await Promise.all(Array.from({ length: 8 }, () => startStep(database, step(jobId, 'build'))));
      assert.deepEqual(new Set(views.map(({ number }) => number)), new Set([1]));
      assert.equal((await startStep(database, step(jobId, 'next'))).number, 2);
    }));

  it('show a step from waiting to its end', () =>
    withSchema(async (database) => {
      const jobId = await addJob(database);
      const start = step(jobId, 'build');
      await setWaiting(database, start);
      assert.deepEqual(pick(await getStep(database, jobId, 1)), ['waiting', null, 0]);
      await startStep(database, start);
      assert.deepEqual(pick(await getStep(database, jobId, 1)), ['running', 'node-1', 1]);
      await finishStep(database, start.executionId, outcome);
      const found = await findStep(database, start.executionId);
      assert.equal(found?.jobId, jobId);
      assert.deepEqual(pick(found?.step), ['succeeded', 'node-1', 1]);
      assert.deepEqual([found?.step.end, found?.step.logBytes, found?.step.durationMs], ['exited', 10, 5]);
    }));

  it('keep the first end of a step, whatever comes late, until a newer attempt starts', () =>
    withSchema(async (database) => {
      const jobId = await addJob(database);
      const start = step(jobId, 'build');
      await startStep(database, start);
      await finishStep(database, start.executionId, outcome);
      await finishStep(database, start.executionId, { state: 'cancelled' });
      await startStep(database, start);
      await setWaiting(database, start);
      assert.deepEqual(pick(await getStep(database, jobId, 1)), ['succeeded', 'node-1', 1]);
      await startStep(database, { ...start, attempt: 2 });
      const view = await getStep(database, jobId, 1);
      assert.deepEqual([...pick(view), view?.finishedAt, view?.end], ['running', 'node-1', 2, null, null]);
    }));

  it('hold a step that never started because the cache had its result', () =>
    withSchema(async (database) => {
      const jobId = await addJob(database);
      const { node: _node, attempt: _attempt, ...identity } = step(jobId, 'build');
      assert.equal(await finishStep(database, identity.executionId, outcome), false);
      assert.equal(
        await finishStep(database, identity.executionId, { ...outcome, cached: true, node: 'node-7' }, identity),
        true,
      );
      const view = await getStep(database, jobId, 1);
      assert.deepEqual([view?.cached, view?.node, view?.state], [true, 'node-7', 'succeeded']);
    }));
});

function step(jobId: string, taskId: string): StepStart {
  return {
    jobId,
    executionId: `${jobId}/${taskId}`,
    taskId,
    title: `Do ${taskId}`,
    phase: 'building',
    node: 'node-1',
    attempt: 1,
  };
}

function pick(view: StepView | undefined): unknown[] {
  return [view?.state, view?.node, view?.attempt];
}
