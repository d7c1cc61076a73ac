import assert from 'node:assert/strict';
import { type StepView, stepViewSchema } from '../../contracts/job.ts';
import {
  findStep,
  finishSteps,
  getStep,
  listSteps,
  setWaiting,
  startSteps,
  type StepIdentity,
  type StepOutcome,
  type StepStart,
} from '../../db/steps.ts';
import type { Database } from '../../db/database.ts';
import { addJob } from './samples.ts';
import { withSchema } from './with-schema.ts';

const outcome = { state: 'succeeded' as const, exitCode: 0, end: 'exited', logBytes: 10, durationMs: 5 };

describe('the records of steps', () => {
  it('number steps within their job without gaps, also when many start at once, and keep the number on a retry', () =>
    withSchema(async (database) => {
      const jobs = [await addJob(database), await addJob(database)];
      await Promise.all(
        jobs.flatMap((jobId) => Array.from({ length: 15 }, (_, index) => start(database, step(jobId, `s${index}`)))),
      );
      for (const jobId of jobs) {
        const steps = await listSteps(database, jobId);
        assert.deepEqual(
          steps.map(({ number }) => number),
          Array.from({ length: 15 }, (_, index) => index + 1),
        );
        const [first] = steps;
        const again = await start(database, { ...step(jobId, first!.taskId), node: 'other', attempt: 2 });
        assert.deepEqual([again.number, again.node, again.attempt], [1, 'other', 2]);
        assert.deepEqual(stepViewSchema.parse(again), again);
      }
    }));

  it('number a step once when it is delivered many times at the same moment', () =>
    withSchema(async (database) => {
      const jobId = await addJob(database);
      // Connections are there already, so that all arrive together.
      await Promise.all(Array.from({ length: 8 }, () => database.query('select pg_sleep(0.05)')));
      const views = await Promise.all(Array.from({ length: 8 }, () => start(database, step(jobId, 'build'))));
      assert.deepEqual(new Set(views.map(({ number }) => number)), new Set([1]));
      assert.equal((await start(database, step(jobId, 'next'))).number, 2);
    }));

  it('show a step from waiting to its end', () =>
    withSchema(async (database) => {
      const jobId = await addJob(database);
      const first = step(jobId, 'build');
      await setWaiting(database, jobId, [first]);
      assert.deepEqual(pick(await getStep(database, jobId, 1)), ['waiting', null, 0]);
      await start(database, first);
      assert.deepEqual(pick(await getStep(database, jobId, 1)), ['running', 'node-1', 1]);
      await finish(database, first, outcome);
      const found = await findStep(database, first.executionId);
      assert.equal(found?.jobId, jobId);
      assert.deepEqual(pick(found?.step), ['succeeded', 'node-1', 1]);
      assert.deepEqual([found?.step.end, found?.step.logBytes, found?.step.durationMs], ['exited', 10, 5]);
    }));

  it('keep the first end of a step, whatever comes late, until a newer attempt starts', () =>
    withSchema(async (database) => {
      const jobId = await addJob(database);
      const first = step(jobId, 'build');
      await start(database, first);
      await finish(database, first, outcome);
      await finish(database, first, { state: 'cancelled' });
      await start(database, first);
      await setWaiting(database, jobId, [first]);
      assert.deepEqual(pick(await getStep(database, jobId, 1)), ['succeeded', 'node-1', 1]);
      await start(database, { ...first, attempt: 2 });
      const view = await getStep(database, jobId, 1);
      assert.deepEqual([...pick(view), view?.finishedAt, view?.end], ['running', 'node-1', 2, null, null]);
    }));

  it('hold a step that never started because the cache had its result', () =>
    withSchema(async (database) => {
      const jobId = await addJob(database);
      const { node: _node, attempt: _attempt, ...identity } = step(jobId, 'build');
      await finish(database, identity, { ...outcome, cached: true, node: 'node-7' });
      const view = await getStep(database, jobId, 1);
      assert.deepEqual([view?.cached, view?.node, view?.state], [true, 'node-7', 'succeeded']);
    }));

  it('are written together, each as it would be alone', () =>
    withSchema(async (database) => {
      const jobId = await addJob(database);
      const [old, lost, fresh] = [step(jobId, 'old'), step(jobId, 'lost'), step(jobId, 'fresh')];
      await startSteps(database, jobId, [old, lost]);
      await finish(database, old, outcome);
      await startSteps(database, jobId, [fresh, old, { ...lost, node: 'node-2', attempt: 2 }]);
      const shown = (await listSteps(database, jobId)).map((view) => [view.taskId, view.number, ...pick(view)]);
      assert.deepEqual(shown, [
        ['old', 1, 'succeeded', 'node-1', 1],
        ['lost', 2, 'running', 'node-2', 2],
        ['fresh', 3, 'running', 'node-1', 1],
      ]);
      await finishSteps(database, jobId, [
        { ...fresh, outcome: { ...outcome, state: 'failed', exitCode: 3 } },
        { ...old, outcome: { state: 'cancelled' } },
        { ...step(jobId, 'cached'), outcome: { ...outcome, cached: true } },
      ]);
      const ends = (await listSteps(database, jobId)).map((view) => [view.state, view.exitCode, view.cached]);
      assert.deepEqual(ends, [
        ['succeeded', 0, false],
        ['running', null, false],
        ['failed', 3, false],
        ['succeeded', 0, true],
      ]);
    }));
});

async function start(database: Database, started: StepStart): Promise<StepView> {
  await startSteps(database, started.jobId, [started]);
  return (await findStep(database, started.executionId))!.step;
}

function finish(database: Database, identity: StepIdentity, end: StepOutcome): Promise<void> {
  return finishSteps(database, identity.jobId, [{ ...identity, outcome: end }]);
}

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
