import assert from 'node:assert/strict';
import type { StepResult } from '../../contracts/step.ts';
import { deleteStep, lookupStep, storeStep } from '../../db/step-cache.ts';
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

describe('the step cache', function () {
  this.timeout(30_000);

  it('answers with the first of the keys that it has', () =>
    withSchema(async (database) => {
      await storeStep(database, 'b', 'sample', result);
      await storeStep(database, 'c', 'sample', { ...result, exitCode: 1 });
      assert.deepEqual(await lookupStep(database, ['a', 'c', 'b']), { key: 'c', result: { ...result, exitCode: 1 } });
      await storeStep(database, 'c', 'sample', result);
      assert.equal((await lookupStep(database, ['c']))?.result.exitCode, 0);
      await deleteStep(database, 'c');
      assert.equal((await lookupStep(database, ['a', 'c', 'b']))?.key, 'b');
      assert.equal(await lookupStep(database, ['a', 'c']), undefined);
    }));
});
