import assert from 'node:assert/strict';
import type { StepResult } from '../../contracts/step.ts';
import { deleteStep, lookupSteps, storeSteps } from '../../db/step-cache.ts';
import { stepResult as result } from './samples.ts';
import { withSchema } from './with-schema.ts';

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
