import assert from 'node:assert/strict';
import type { StepResult } from '../../contracts/step.ts';
import { deleteStep, lookupSteps, storeStep } from '../../db/step-cache.ts';
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

describe('the step cache', () => {
  it('answers for the keys that it has, with what was kept last', () =>
    withSchema(async (database) => {
      await storeStep(database, 'b', 'sample', result);
      await storeStep(database, 'c', 'sample', { ...result, exitCode: 1 });
      const failed = { ...result, exitCode: 1 };
      assert.deepEqual(
        await lookupSteps(database, ['a', 'c', 'b']),
        new Map([
          ['b', result],
          ['c', failed],
        ]),
      );
      await storeStep(database, 'c', 'sample', result);
      assert.deepEqual(await lookupSteps(database, ['c']), new Map([['c', result]]));
      await deleteStep(database, 'c');
      assert.deepEqual([...(await lookupSteps(database, ['a', 'c', 'b'])).keys()], ['b']);
      assert.equal((await lookupSteps(database, [])).size, 0);
    }));
});
