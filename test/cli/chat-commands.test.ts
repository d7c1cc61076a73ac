import assert from 'node:assert/strict';
import { previousCheckpoint } from '../../cli/chat/commands.ts';

describe('/undo without a checkpoint', () => {
  const checkpoints = (...titles: string[]) =>
    titles.map((title, index) => ({ id: `c${index}`, phase: 'building' as const, snapshot: 's', title }));

  it('goes one message further back each time', () => {
    assert.equal(previousCheckpoint(checkpoints('Source')), undefined);
    assert.equal(previousCheckpoint(checkpoints('Source', 'one', 'two')), 'c1');
    assert.equal(previousCheckpoint(checkpoints('Source', 'one', 'two', 'Back to c1')), 'c0');
    assert.equal(previousCheckpoint(checkpoints('Source', 'one', 'two', 'Back to c1', 'Back to c0')), undefined);
    assert.equal(previousCheckpoint(checkpoints('Source', 'one', 'two', 'Back to c1', 'three')), 'c3');
  });
});
