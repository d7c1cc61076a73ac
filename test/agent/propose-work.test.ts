import assert from 'node:assert/strict';
import { createToolRegistry } from '../../agent/tools/registry.ts';
import type { JsonValue } from '../../contracts/llm.ts';
import { type WorkItem, workItemSchema } from '../../contracts/plan.ts';
import { type AgentBench, withAgent } from './helpers.ts';

type Given = { [name: string]: JsonValue };
const item = (id: string, more: Given = {}): Given => ({ id, title: `The ${id}`, prompt: `Do ${id}`, ...more });

/** What the model is told of a proposal, and the items that were noted. */
async function propose(agent: AgentBench, items: JsonValue): Promise<{ told: string; items: WorkItem[] | undefined }> {
  const { texts, output } = await agent.answer([['propose-work', { items }]], { mode: 'plan', rules: [] });
  const noted = output.work && (await agent.deps.blobs.get(output.work))?.toString();
  return { told: texts[0]!, items: noted ? workItemSchema.array().parse(JSON.parse(noted)) : undefined };
}

describe('the tool that divides work', () => {
  it('notes the items, also where nothing may be changed, and the last list counts', () =>
    withAgent({}, async (agent) => {
      const first = await propose(agent, [item('a'), item('b', { needs: ['a'], files: ['src/b.ts'] })]);
      assert.match(first.told, /2 items/);
      assert.deepEqual(first.items, [
        { id: 'a', title: 'The a', prompt: 'Do a', files: [], needs: [] },
        { id: 'b', title: 'The b', prompt: 'Do b', files: ['src/b.ts'], needs: ['a'] },
      ]);
      const calls: [string, JsonValue][] = [
        ['propose-work', { items: [item('a'), item('b')] }],
        ['propose-work', { items: [] }],
      ];
      const { output } = await agent.answer(calls);
      assert.equal((await agent.deps.blobs.get(output.work!))?.toString(), '[]');
    }));

  it('tells the model what cannot be carried out, and notes nothing', () =>
    withAgent({}, async (agent) => {
      const wrong: [JsonValue, RegExp][] = [
        [[item('a', { needs: ['x'] })], /"a" needs "x", and there is no such item/],
        [[item('a'), item('a')], /two items have the id "a"/],
        [[item('a', { needs: ['a'] })], /circle: a needs a/],
        [
          [item('a', { needs: ['c'] }), item('b', { needs: ['a'] }), item('c', { needs: ['b'] })],
          /circle: a needs c needs b needs a/,
        ],
        [[item('a', { files: ['../x'] })], /outside the workspace/],
        [Array.from({ length: 21 }, (_, index) => item(`i${index}`)), /21 items are too many/],
        [[item('Not an id')], /an id is made of small letters/],
        [[{ id: 'a', title: 'x' }], /prompt/],
      ];
      for (const [items, problem] of wrong) {
        const { told, items: noted } = await propose(agent, items);
        assert.match(told, problem);
        assert.equal(noted, undefined, told);
      }
    }));

  it('warns of items that run at once on the same file, not of those one after the other', () =>
    withAgent({}, async (agent) => {
      const files = { files: ['x.ts'] };
      const { told } = await propose(agent, [
        item('a', files),
        item('between', { needs: ['a'] }),
        item('b', { ...files, needs: ['between'] }),
        item('c', files),
      ]);
      assert.match(told, /"a" and "c" run at once and both change x\.ts/);
      assert.match(told, /"b" and "c"/);
      assert.doesNotMatch(told, /"a" and "b"/);
    }));

  it('is the last of the tools, so that it leaves the beginnings that providers cache as they were', () => {
    assert.equal(createToolRegistry().names.at(-1), 'propose-work');
  });
});
