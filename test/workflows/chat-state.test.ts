import assert from 'node:assert/strict';
import { jobRequestSchema } from '../../contracts/job.ts';
import { ChatState } from '../../workflows/chat-state.ts';
import { WrongStateError } from '../../workflows/job-state.ts';

const request = jobRequestSchema.parse({ kind: 'chat', source: { location: '/r' }, modes: ['building'] });

function openChat(): ChatState {
  const state = new ChatState({ jobId: 'job-000000000000', project: 'p', request });
  state.open({ snapshot: 'a0', commit: null, dirty: false });
  return state;
}

function talk(state: ChatState, text: string, result?: { snapshot: string; head: string }): void {
  state.hear({ id: text, text });
  state.answered(state.take()!, result);
}

describe('the state of a chat', () => {
  it('takes a message that comes twice once', () => {
    const state = openChat();
    state.hear({ id: '1', text: 'a' });
    state.hear({ id: '1', text: 'a' });
    assert.equal(state.take()?.text, 'a');
    assert.equal(state.take(), undefined);
    assert.equal(state.status, 'paused');
  });

  it('goes back with files, conversation or both, and back again', () => {
    const state = openChat();
    talk(state, 'one', { snapshot: 'a1', head: 'h1' });
    talk(state, 'two', { snapshot: 'a2', head: 'h2' });
    const after = (what: 'both' | 'code' | 'conversation', checkpointId: string): unknown => {
      state.undo({ checkpointId, what });
      const { id, snapshot, head } = state.point;
      return [id, snapshot, head];
    };
    assert.deepEqual(after('code', 'c1'), ['c3', 'a1', 'h2']);
    assert.deepEqual(after('conversation', 'c0'), ['c4', 'a1', null]);
    assert.deepEqual(after('both', 'c2'), ['c5', 'a2', 'h2']);
    assert.deepEqual(after('both', 'c2'), ['c5', 'a2', 'h2'], 'a second time changes nothing');
    assert.throws(() => after('both', 'c9'), WrongStateError);
  });

  it('does not go back while a message is being answered', () => {
    const state = openChat();
    state.hear({ id: '1', text: 'a' });
    assert.throws(() => state.undo({ checkpointId: 'c0', what: 'both' }), /stop it first/);
  });

  it('stands where it stood after a turn that broke or was stopped before its first words', () => {
    const state = openChat();
    talk(state, 'one', { snapshot: 'a1', head: 'h1' });
    talk(state, 'two');
    talk(state, 'three', { snapshot: 'a1', head: '' });
    assert.deepEqual([state.point.snapshot, state.point.head], ['a1', 'h1']);
  });

  it('keeps the source and the last checkpoints of a long chat, under their own names', () => {
    const state = openChat();
    for (let number = 1; number <= 300; number += 1) talk(state, `m${number}`, { snapshot: `a${number}`, head: 'h' });
    assert.equal(state.points.length, 100);
    assert.equal(state.points[0]!.id, 'c0');
    assert.equal(state.point.id, 'c300');
    assert.equal(state.at('c250').snapshot, 'a250');
  });
});
