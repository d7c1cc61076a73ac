import assert from 'node:assert/strict';
import { TurnState } from '../../workflows/turn-state.ts';

describe('what users say to an agent', () => {
  it('takes the first decision on a call as final', () => {
    const state = new TurnState({ mode: 'ask', rules: [] });
    state.decide('c1', false, 'too dangerous');
    state.decide('c1', true);
    assert.deepEqual(state.outcomeOf('approval', 'c1'), {
      callId: 'c1',
      type: 'approval',
      allowed: false,
      reason: 'too dangerous',
    });
    state.answer('c2', 'blue');
    state.answer('c2', 'red');
    assert.deepEqual(state.outcomeOf('question', 'c2'), { callId: 'c2', type: 'question', answer: 'blue' });
    assert.equal(state.outcomeOf('approval', 'c2'), undefined);
  });

  it('remembers what is not to be asked for again, as an allowance whatever the rule said', () => {
    const state = new TurnState({ mode: 'ask', rules: [{ decision: 'deny', path: 'secret/**' }] });
    state.decide('c1', true, undefined, { decision: 'deny', tool: 'run', command: 'npm *' });
    assert.deepEqual(state.permissions, {
      mode: 'ask',
      rules: [
        { decision: 'deny', path: 'secret/**' },
        { decision: 'allow', tool: 'run', command: 'npm *' },
      ],
    });
  });

  it('is heard once by every conversation, together with what else it has not heard', () => {
    const state = new TurnState({ mode: 'auto', rules: [] });
    assert.equal(state.steeringAfter(0), undefined);
    state.steer('one');
    const file = { name: 'a.png', hash: 'a'.repeat(64) };
    state.steer('two', [file]);
    assert.deepEqual(state.steeringAfter(0), { text: 'one\n\ntwo', attachments: [file] });
    assert.deepEqual(state.steeringAfter(1), { text: 'two', attachments: [file] });
    assert.equal(state.steeringAfter(state.timesSteered), undefined);
  });
});
