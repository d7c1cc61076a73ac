import assert from 'node:assert/strict';
import type { StepResult } from '../../contracts/step.ts';
import { deleteStep, lookupSteps, storeSteps } from '../../db/step-cache.ts';
import { withSchema } from './with-schema.ts';

const result: StepResult = {
  end: 'exited',
  exitCode: 0,
  snapshot: '1'.repeat(40),
  log: '2'.repeat(64),
  logBytes: 7,
  node: 'n',
  cached: false,
  durationMs: 12,
};

const kept = (key: string, of: StepResult) => ({ key, project: 'sample', result: of });

describe('the step cache', () => {
  it('answers for the keys that it has, with what was kept last', () =>
    withSchema(async (database) => {
      const failed = { ...result, exitCode: 1 };
      await storeSteps(database, [kept('c', result), kept('b', result), kept('c', failed)]);
      assert.deepEqual(
        await lookupSteps(database, ['a', 'c', 'b']),
        new Map([
          ['b', result],
          ['c', failed],
        ]),
      );
      await storeSteps(database, [kept('c', result)]);
      assert.deepEqual(await lookupSteps(database, ['c']), new Map([['c', result]]));
      await deleteStep(database, 'c');
      assert.deepEqual([...(await lookupSteps(database, ['a', 'c', 'b'])).keys()], ['b']);
      assert.equal((await lookupSteps(database, [])).size, 0);
    }));
});
