import assert from 'node:assert/strict';
import { Rounds } from '../../workers/support/rounds.ts';

describe('rounds of work', () => {
  it('are done one at a time, and once more for all who ask meanwhile', async () => {
    const gates = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    let begun = 0;
    const rounds = new Rounds(async () => {
      begun += 1;
      await gates[begun - 1]!.promise;
    });
    const asked = [rounds.ask(), rounds.ask(), rounds.ask()];
    assert.equal(begun, 1);
    gates[0]!.resolve();
    await new Promise(setImmediate);
    assert.equal(begun, 2);
    gates[1]!.resolve();
    await Promise.all(asked);
    assert.equal(begun, 2);
  });

  it('begin anew after one that failed, and no more once they are stopped', async () => {
    const failures = [new Error('no')];
    const { promise: gate, resolve } = Promise.withResolvers<void>();
    let begun = 0;
    const rounds = new Rounds(async () => {
      begun += 1;
      const failure = failures.shift();
      if (failure) throw failure;
      await gate;
    });
    await assert.rejects(rounds.ask(), /no/);
    const asked = [rounds.ask(), rounds.ask()];
    const stopped = rounds.stop();
    resolve();
    await Promise.all([...asked, stopped]);
    assert.equal(begun, 2);
  });
});
