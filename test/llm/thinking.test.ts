import assert from 'node:assert/strict';
import { thinkingBudget, thinkingWish, thinkingWords } from '../../llm/thinking.ts';
import { request } from './support/requests.ts';

describe('words that ask for thinking', () => {
  const asked: [string, ReturnType<typeof thinkingWords>][] = [
    ['Think about the edge cases first.', 'low'],
    ['please think before you write', 'low'],
    ['think', 'low'],
    ['Think hard.', 'medium'],
    ['Think carefully about the lock.', 'medium'],
    ['Reason step by step', 'medium'],
    ['reason about this step by step, please', 'medium'],
    ['Think it through', 'medium'],
    ['Think this through.', 'medium'],
    ['Use chain of thought.', 'medium'],
    ['Take your time to think.', 'medium'],
    ['Give me step-by-step reasoning', 'medium'],
    ['megathink', 'medium'],
    ['think harder', 'high'],
    ['Think really hard about it', 'high'],
    ['think very carefully', 'high'],
    ['Think as hard as you can', 'high'],
    ['ULTRATHINK please', 'high'],
    ["Don't think, just do it", 'none'],
    ['Do not overthink this. Think small.', 'none'],
    ['Answer without thinking', 'none'],
    ['I think the bug is in parse()', undefined],
    ['What do you think of this?', undefined],
    ['Users would think that it hangs', undefined],
    ['Some people think hard work pays', undefined],
    ['Rename src/think.ts to src/reason.ts', undefined],
    ['Fix re-think in the docs', undefined],
    ['Fix `think hard` in the README', undefined],
    ['Why does this fail?\n```\n// think harder\n```', undefined],
    ['> think hard\nAnswer the mail above', undefined],
    ['The reason is unknown', undefined],
    ['Rethinking the layout', undefined],
    ['', undefined],
  ];
  for (const [text, effort] of asked) {
    it(`${JSON.stringify(text)} asks for ${effort ?? 'nothing'}`, () => {
      assert.equal(thinkingWords(text), effort);
    });
  }

  it('count in the last message of the user alone, and only in mode auto', () => {
    const talk = request('m', [
      { role: 'user', content: [{ type: 'text', text: 'think harder' }] },
      { role: 'assistant', content: [{ type: 'text', text: 'think hard' }] },
      { role: 'user', content: [{ type: 'text', text: 'Now run it.' }] },
      { role: 'assistant', content: [{ type: 'tool-call', id: 'c', name: 'run', arguments: {} }] },
      {
        role: 'tool',
        content: [{ type: 'tool-result', callId: 'c', name: 'run', content: [{ type: 'text', text: 'think hard' }] }],
      },
    ]);
    assert.deepEqual(thinkingWish(talk), { wanted: 'unsaid' });
    assert.deepEqual(thinkingWish(request('m', 'think hard')), { wanted: 'yes', effort: 'medium' });
    assert.deepEqual(thinkingWish(request('m', 'think hard', { thinking: { mode: 'off' } })), { wanted: 'no' });
    assert.deepEqual(thinkingWish(request('m', 'think hard', { thinking: { mode: 'on' } })), { wanted: 'yes' });
    assert.deepEqual(thinkingWish(request('m', 'think hard', { thinking: { effort: 'high' } })), {
      wanted: 'yes',
      effort: 'high',
    });
  });
});

describe('the budget of thinking', () => {
  it('is 80% of the tokens of the answer unless it is given, at least 1,024, and less than all', () => {
    assert.equal(thinkingBudget(undefined, 10_000), 8000);
    assert.equal(thinkingBudget(undefined, 1100), 1024);
    assert.equal(thinkingBudget(100, 10_000), 1024);
    assert.equal(thinkingBudget(5000, 10_000), 5000);
    assert.equal(thinkingBudget(50_000, 10_000), 9999);
    assert.equal(thinkingBudget(undefined, 1025), 1024);
    assert.equal(thinkingBudget(5000, 1024), undefined);
  });
});
