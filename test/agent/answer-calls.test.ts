import assert from 'node:assert/strict';
import { answerCalls } from '../../agent/answer-calls.ts';
import { append, loadEntry } from '../../agent/conversation.ts';
import { mostMisfits } from '../../agent/misfits.ts';
import type { Permissions, ToolsInput } from '../../contracts/agent.ts';
import type { JsonValue } from '../../contracts/llm.ts';
import { createToolRegistry } from '../../agent/tools/registry.ts';
import { allowAll, at, withAgent } from './helpers.ts';
import type { AgentBench, Call } from './helpers.ts';

async function begin(agent: AgentBench, calls: Call[], permissions: Permissions): Promise<ToolsInput> {
  const tools = agent.deps.registry.names;
  return { head: await agent.ask(calls), snapshot: agent.snapshot, permissions, tools, progress: null };
}

describe('answers to the calls of a message', () => {
  const asking: Permissions = { mode: 'ask', rules: [] };

  it('are given in order, each on the workspace the one before left', () =>
    withAgent({}, async (agent) => {
      const { texts, output } = await agent.answer([
        ['write', { path: 'a', content: '1' }],
        ['edit', { path: 'a', oldText: '1', newText: '2' }],
        ['read', { path: 'a' }],
      ]);
      assert.equal(texts[2], '1\t2');
      assert.deepEqual(
        output.calls.map(({ summary }) => summary),
        ['write a', 'edit a', 'read a'],
      );
      const { parent, snapshot } = await loadEntry(agent.deps.blobs, output.head);
      assert.ok(parent);
      assert.equal(snapshot, agent.snapshot);
    }));

  it('wait for approval, which holds for that one call', () =>
    withAgent({ a: '1' }, async (agent) => {
      const calls: Call[] = [
        ['write', { path: 'b', content: '1' }],
        ['write', { path: 'c', content: '1' }],
      ];
      const asked: string[] = [];
      const { results, texts } = await agent.answer(calls, asking, (pending) => {
        asked.push(pending.type === 'approval' ? pending.summary : pending.type);
        return { type: 'approval', allowed: asked.length === 1, reason: 'not there' };
      });
      assert.deepEqual(asked, ['write b', 'write c']);
      assert.deepEqual(
        results.map(({ isError }) => isError),
        [false, true],
      );
      assert.match(texts[1]!, /did not allow this: not there/);
      assert.deepEqual([await agent.file('b'), await agent.file('c')], ['1', undefined]);
    }));

  it('do not do what is denied, approved or not', () =>
    withAgent({ a: '1' }, async (agent) => {
      const input = await begin(agent, [['write', { path: 'a', content: '2' }]], asking);
      const first = await answerCalls(agent.deps, input);
      assert.ok(!first.done);
      const denying: Permissions = { mode: 'ask', rules: [{ decision: 'deny', path: 'a' }] };
      const outcome = { callId: first.pending.callId, type: 'approval', allowed: true } as const;
      const second = await answerCalls(agent.deps, {
        ...input,
        permissions: denying,
        progress: first.progress,
        outcome,
      });
      assert.ok(second.done && second.calls[0]!.isError);
      assert.equal(second.snapshot, input.snapshot);
    }));

  it('show the user all of what is to be allowed', () =>
    withAgent({}, async (agent) => {
      const command = `echo ${'x'.repeat(3_000)}\n\u202erm -rf /`;
      const { pendings } = await agent.answer([['run', { command }]], asking, () => ({
        type: 'approval',
        allowed: false,
      }));
      const [pending] = pendings;
      assert.ok(pending?.type === 'approval');
      assert.match(pending.summary, /^run echo x{3000} ⏎ rm -rf \/$/);
    }));

  it('are the same when asked for again', () =>
    withAgent({ a: '1' }, async (agent) => {
      const calls: Call[] = [
        ['edit', { path: 'a', oldText: '1', newText: '2' }],
        ['run', { command: 'x' }],
        ['read', { path: 'a' }],
      ];
      const input = await begin(agent, calls, allowAll);
      const once = await answerCalls(agent.deps, input);
      assert.deepEqual(await answerCalls(agent.deps, input), once);
      assert.ok(!once.done);
      const outcome = { callId: 'call-1', type: 'step', end: 'exited', exitCode: 0, snapshot: once.snapshot } as const;
      const next = { ...input, snapshot: once.snapshot, progress: once.progress, outcome };
      const twice = await answerCalls(agent.deps, next);
      assert.deepEqual(await answerCalls(agent.deps, next), twice);
      assert.ok(twice.done && twice.calls.length === 3);
    }));

  it('take no outcome but that of the call that waits', () =>
    withAgent({ a: '1' }, async (agent) => {
      const input = await begin(agent, [['run', { command: 'x' }]], asking);
      const first = await answerCalls(agent.deps, input);
      assert.ok(!first.done);
      const step = { type: 'step', end: 'exited', exitCode: 0, snapshot: input.snapshot } as const;
      const forged = [{ ...step, callId: 'call-0' }, { type: 'approval', allowed: true, callId: 'call-9' } as const];
      for (const outcome of forged)
        await assert.rejects(answerCalls(agent.deps, { ...input, progress: first.progress, outcome }), {
          code: 'internal',
        });
      await assert.rejects(answerCalls(agent.deps, { ...input, outcome: { ...step, callId: 'call-0' } }), {
        code: 'internal',
      });
      const other = await begin(agent, [['run', { command: 'y' }]], asking);
      await assert.rejects(answerCalls(agent.deps, { ...other, progress: first.progress }), { code: 'internal' });
    }));

  it('tell the model what is wrong with a call', () =>
    withAgent({ a: '1' }, async (agent) => {
      const { texts, results } = await agent.answer([
        ['read', {}],
        ['read', { path: 7, lines: 3 }],
        ['read', '{"path": "a"'],
        ['reed', { path: 'a' }],
        ['plan', { items: [{ text: 'x', state: 'later' }] }],
        ['read', null],
      ]);
      assert.ok(results.every(({ isError }) => isError));
      assert.match(texts[0]!, /"path": .*expected string.*schema: \{"type":"object"/);
      assert.match(texts[1]!, /"path".*number.*"lines"/s);
      assert.match(texts[2]!, /are no JSON/);
      assert.match(texts[3]!, /no tool "reed".*read, list/);
      assert.match(texts[4]!, /"items\.0\.state".*"open"\|"doing"\|"done"/);
    }));

  it('end when the model goes on calling tools wrongly, but not when it learns', () =>
    withAgent({ a: '1' }, async ({ deps, snapshot }) => {
      let parent: string | null = null;
      const answerOf = async (name: string, args: JsonValue): Promise<void> => {
        const message = {
          role: 'assistant' as const,
          content: [{ type: 'tool-call' as const, id: 'c', name, arguments: args }],
        };
        const head = await append(deps.blobs, { parent, message, snapshot, at });
        const tools = deps.registry.names;
        const output = await answerCalls(deps, { head, snapshot, permissions: allowAll, tools, progress: null });
        assert.ok(output.done);
        parent = output.head;
      };
      const wrong = async (times: number): Promise<void> => {
        for (let index = 0; index < times; index += 1) await answerOf(index % 2 ? 'reed' : 'read', { file: 'a' });
      };
      await wrong(mostMisfits - 1);
      await answerOf('read', { path: 'a' });
      await wrong(mostMisfits - 1);
      await assert.rejects(wrong(1), { code: 'llm.unsupported', message: /wrongly 12 times in a row.*"path"/s });
    }));

  it('keep to the tools the agent has', () =>
    withAgent({ a: '1' }, async (agent) => {
      const input = await begin(agent, [['write', { path: 'a', content: '2' }]], allowAll);
      const output = await answerCalls(agent.deps, { ...input, tools: ['read'] });
      assert.ok(output.done && output.calls[0]!.isError);
      assert.equal(output.snapshot, agent.snapshot);
    }));

  it('do not show by an edit, a patch or another name what must not be read', () =>
    withAgent({ 'secrets/key': 'CANARY', a: '1' }, async (agent) => {
      const permissions: Permissions = {
        mode: 'full',
        rules: [{ decision: 'deny', kind: 'read', path: 'secrets/**' }],
      };
      const rename = '*** Begin Patch\n*** Update File: secrets/key\n*** Move to: open\n*** End Patch';
      const { results, texts } = await agent.answer(
        [
          ['edit', { path: 'secrets/key', oldText: 'CANARI', newText: 'x' }],
          ['apply-patch', { patch: rename }],
          ['apply-patch', { patch: '--- a/secrets/key\n+++ b/secrets/key\n@@ -1 +1 @@\n-CANARI\n+x\n' }],
          ['move', { from: 'secrets', to: 'open' }],
          ['move', { from: 'secrets/key', to: 'open' }],
        ],
        permissions,
      );
      assert.ok(results.every(({ isError }) => isError));
      for (const text of texts) assert.match(text, /^Not permitted/);
      assert.equal(await agent.file('open'), undefined);
    }));

  it('undo what a command or another agent changed against a rule', () =>
    withAgent({ 'keep/a': '1', 'keep/gone': 'g', b: '1' }, async (agent) => {
      const before = agent.snapshot;
      const after = await agent.write({ 'keep/a': '2', 'keep/gone': null, 'keep/new': 'n', b: '2' });
      agent.snapshot = before;
      const permissions: Permissions = { mode: 'full', rules: [{ decision: 'deny', kind: 'edit', path: 'keep/**' }] };
      for (const call of [
        ['run', { command: 'make' }],
        ['delegate', { title: 't', prompt: 'p' }],
      ] satisfies Call[]) {
        agent.snapshot = before;
        const { texts } = await agent.answer([call], permissions, (pending) =>
          pending.type === 'step'
            ? { type: 'step', end: 'exited', exitCode: 0, snapshot: after }
            : { type: 'delegate', succeeded: true, answer: '', snapshot: after },
        );
        assert.match(texts[0]!, /undone: changes of keep\/a, keep\/gone, keep\/new/);
        assert.deepEqual(await agent.deps.store.diff(before, agent.snapshot), [{ path: 'b', change: 'modified' }]);
      }
    }));

  it('are none where there is nothing to answer, and an error where there is no model message', () =>
    withAgent({}, async (agent) => {
      const { blobs } = agent.deps;
      const said = { role: 'assistant' as const, content: [{ type: 'text' as const, text: 'done' }] };
      const head = await append(blobs, { parent: null, message: said, snapshot: agent.snapshot, at });
      const input: ToolsInput = { head, snapshot: agent.snapshot, permissions: allowAll, tools: [], progress: null };
      assert.deepEqual(await answerCalls(agent.deps, input), { done: true, head, snapshot: agent.snapshot, calls: [] });
      const asked = { role: 'user' as const, content: said.content };
      const user = await append(blobs, { parent: null, message: asked, snapshot: agent.snapshot, at });
      await assert.rejects(answerCalls(agent.deps, { ...input, head: user }), { code: 'internal' });
    }));

  it('come from tools that models of every provider can be told of', () => {
    const registry = createToolRegistry();
    for (const { name, description, parameters } of registry.definitions(registry.names)) {
      assert.match(name, /^[a-zA-Z0-9_-]{1,64}$/);
      assert.ok(description.length > 20);
      assert.equal(parameters['type'], 'object');
      assert.doesNotMatch(JSON.stringify(parameters), /\$ref|\$schema|anyOf/);
    }
    assert.deepEqual(
      registry.definitions(['edit', 'read', 'unknown']).map(({ name }) => name),
      ['read', 'edit'],
    );
    assert.throws(() => createToolRegistry([registry.get('read')!]), TypeError);
  });
});
