import assert from 'node:assert/strict';
import { load } from '../../agent/conversation.ts';
import type { JobEventData } from '../../contracts/event.ts';
import type { AgentTurnInput, AgentTurnResult, TurnReasoning } from '../../contracts/workflow.ts';
import { readEvents } from '../../db/events.ts';
import { type Agents, withAgents } from '../support/agents.ts';
import {
  type Asked,
  type ProviderMove,
  type ScriptedProvider,
  withScriptedProvider,
} from '../support/scripted-provider.ts';
import { Ledger, nothingSpent } from '../../workflows/ledger.ts';
import { eventually } from '../support/eventually.ts';

const scores: Record<string, number> = { '1': 3, '2': 8, '3': 6, '2.1': 4, '2.2': 7, '2.3': 2 };

/** Thinks of approaches by the number it is given, and scores them by the table above. */
function tree({ prompt, body }: Asked): ProviderMove {
  const said = JSON.stringify(body.messages);
  if (prompt.includes('Several approaches')) return { text: 'There is a note.' };
  const number = /yours is number (\d)/.exec(prompt)?.[1];
  if (number !== undefined) {
    const parent = prompt.includes('one step further') ? `${/approach (\d) is this/.exec(said)![1]}.` : '';
    return { text: `approach ${parent}${number} is this` };
  }
  if (prompt.includes('Judge the approach')) {
    const path = [...said.matchAll(/approach ([\d.]+) is this/g)].at(-1)![1]!;
    return { text: JSON.stringify({ score: scores[path], reason: `about ${path}` }) };
  }
  return { text: 'The answer.' };
}

describe('reasoning in a turn', () => {
  function withTurns<T>(
    move: (asked: Asked, count: number) => ProviderMove | Promise<ProviderMove>,
    use: (agents: Agents, provider: ScriptedProvider) => Promise<T>,
  ): Promise<T> {
    return withScriptedProvider(
      (asked, journal) => move(asked, journal.length),
      (provider) =>
        withAgents({ env: { ANTHROPIC_API_KEY: 'key', ANTHROPIC_BASE_URL: provider.url } }, (agents) =>
          use(agents, provider),
        ),
    );
  }

  const by = (reasoning: Partial<TurnReasoning>): Partial<AgentTurnInput> => ({
    reasoning: { purpose: 'code', failedAttempts: 0, thinking: { mode: 'model' }, ...reasoning },
  });
  const oneLevel = by({ strategy: 'tree-of-thoughts', limits: { depth: 1 } });

  async function run({ start }: Agents, input: Partial<AgentTurnInput>): Promise<AgentTurnResult> {
    return (await (await start(input)).result()) as AgentTurnResult;
  }

  async function eventsOf({ database, job }: Agents): Promise<JobEventData[]> {
    return (await readEvents(database, job.jobId, 0, 1_000)).map(({ data }) => data);
  }

  /** What was said in a conversation, by whom. */
  async function conversation({ foundation }: Agents, head: string): Promise<string[]> {
    return (await load(foundation.blobs, head)).map(({ message }) => {
      const text = message.content.map((part) => ('text' in part ? part.text : part.type)).join('');
      return `${message.role}: ${text}`;
    });
  }

  it('of a tree asks branches at once, tells each step, and goes on with the best alone', async () => {
    let together = 0;
    let most = 0;
    const slow = async (asked: Asked): Promise<ProviderMove> => {
      most = Math.max(most, (together += 1));
      await new Promise((resolve) => setTimeout(resolve, 200));
      together -= 1;
      return tree(asked);
    };
    await withTurns(slow, async (agents, { journal }) => {
      const turn = await agents.start(by({ strategy: 'tree-of-thoughts', limits: { keep: 1, depth: 2 } }));
      const result = (await turn.result()) as AgentTurnResult;
      assert.equal(result.status, 'done');
      assert.equal(result.text, 'The answer.');
      assert.equal(most, 3);
      assert.equal(journal.length, 1 + 2 * 3 + 2 * 3 + 1);
      assert.equal(result.spending.calls, journal.length);
      const said = (await conversation(agents, result.head)).filter((line) => line.startsWith('assistant'));
      assert.deepEqual(
        said.map((line) => line.slice('assistant: '.length)),
        ['There is a note.', 'approach 2 is this', 'approach 2.2 is this', 'The answer.'],
      );
      const events = await eventsOf(agents);
      const told = events.flatMap((data) => (data.type === 'reasoning.step' ? [`${data.step}: ${data.outcome}`] : []));
      assert.deepEqual(told.slice(1, 4).sort(), [
        'Approach 1: score 3 of 10: about 1',
        'Approach 2: score 8 of 10: about 2',
        'Approach 3: score 6 of 10: about 3',
      ]);
      assert.equal(told.at(-1), 'Answer from approach 2.2: done');
      const steps = events.flatMap((data) => (data.type === 'model.answered' ? [data.step] : []));
      assert.ok(steps.includes('Score approach 2.3'), steps.join());
      const { events: history } = await turn.fetchHistory();
      const summaries = history!.map(({ userMetadata }) => Buffer.from(userMetadata?.summary?.data ?? '').toString());
      assert.ok(
        summaries.some((summary) => summary.includes('Work: Approach 2.2')),
        summaries.join(),
      );
    });
  });

  it('lets no tool be used while approaches are compared, and keeps the tools in the prompt', async () => {
    await withTurns(tree, async (agents, { journal }) => {
      await run(agents, oneLevel);
      const choices = journal.map(({ body }) => JSON.stringify(body.tool_choice));
      assert.deepEqual(new Set(choices.slice(1, -1)), new Set(['{"type":"none"}']));
      assert.deepEqual([choices[0], choices.at(-1)], [undefined, undefined]);
      assert.ok(journal.every(({ body }) => 'tools' in body));
    });
  });

  it('of a draft that is criticised mends it, and leaves the last critique out of the conversation', async () => {
    let critiques = 0;
    const move = ({ prompt, answers }: Asked): ProviderMove => {
      if (prompt.includes('strict reviewer')) {
        const accepted = (critiques += 1) > 1;
        return { text: JSON.stringify({ accepted, problems: accepted ? [] : ['too short'] }) };
      }
      if (prompt.includes('mend these problems')) return { text: 'A longer draft.' };
      return answers === 0 ? { calls: [{ tool: 'read', args: { path: 'note.txt' } }] } : { text: 'A draft.' };
    };
    await withTurns(move, async (agents) => {
      const result = await run(agents, by({ strategy: 'self-reflection' }));
      assert.equal(result.text, 'A longer draft.');
      const said = await conversation(agents, result.head);
      assert.equal(said.at(-1), 'assistant: A longer draft.');
      assert.equal(said.filter((line) => line.includes('accepted')).length, 2, 'the first critique and its question');
    });
  });

  it('never spends more than the budget with branches at once, and lets them go one after the other where it is scarce', async () => {
    // Too little for one more call; enough for some of the calls; enough for all, with shorter answers.
    for (const tokens of [30_000, 60_000, 90_000]) {
      // Every answer costs all that it may.
      const costly = (asked: Asked): ProviderMove => ({
        ...(tree(asked) as { text: string }),
        usage: { input: Math.ceil(asked.promptBytes / 2), output: asked.maxTokens },
      });
      await withTurns(costly, async (agents, { journal }) => {
        const turn = await agents.start({ ...oneLevel, budget: { tokens } });
        const spent = (): number => journal.reduce((sum, { usage }) => sum + usage.input + usage.output, 0);
        const isOver = await eventually('the budget is used up, or the work is done', async () => {
          if ((await turn.describe()).status.name === 'COMPLETED') return 'done';
          return (await eventsOf(agents)).some(({ type }) => type === 'agent.out-of-budget') && 'out of budget';
        });
        assert.ok(spent() <= tokens, `${spent()} of ${tokens}`);
        assert.equal(isOver, tokens < 90_000 ? 'out of budget' : 'done');
        if (isOver === 'out of budget') await turn.executeUpdate('raiseBudget', { args: [{ tokens: 1_000_000 }] });
        const { status, spending } = (await turn.result()) as AgentTurnResult;
        assert.equal(status, 'done');
        assert.equal(spending.inputTokens + spending.outputTokens, spent());
      });
    }
  });

  it('gives equal parts to branches that run at once, and never more than there is', () => {
    let seed = 11;
    const random = (): number => (seed = (seed * 48_271) % 2_147_483_647) / 2_147_483_647;
    for (let round = 0; round < 200; round += 1) {
      const cap = 1 + Math.floor(random() * 1e6);
      const atOnce = 1 + Math.floor(random() * 10);
      const ledger = new Ledger({ tokens: cap });
      const parts = Array.from({ length: atOnce }, () => ledger.reserveOneOf(atOnce));
      const sizes = parts.map(({ tokens }) => tokens!);
      assert.ok(Math.max(...sizes) - Math.min(...sizes) <= atOnce, sizes.join());
      // Each goes on with another call as soon as it has an answer, with what is there.
      for (let move = 0; move < 50; move += 1) {
        const part = parts.splice(Math.floor(random() * parts.length), 1)[0]!;
        ledger.settle(part, { ...nothingSpent, outputTokens: Math.floor(part.tokens! * random()) });
        parts.push(ledger.reserveOneOf(atOnce));
        const held = parts.reduce((sum, { tokens }) => sum + tokens!, 0);
        assert.ok(ledger.spent.outputTokens + held <= cap);
      }
    }
  });

  it('hears what users say meanwhile once in every branch', async () => {
    let release: () => void = () => undefined;
    const held = new Promise<void>((resolve) => (release = resolve));
    const move = async (asked: Asked): Promise<ProviderMove> => {
      if (asked.prompt.includes('yours is number')) await held;
      return tree(asked);
    };
    await withTurns(move, async (agents, { journal }) => {
      const turn = await agents.start(oneLevel);
      await eventually('branches are asked', async () => journal.length === 4);
      await turn.signal('steer', 'Mind the gap.');
      await turn.query('turnState');
      release();
      const result = (await turn.result()) as AgentTurnResult;
      assert.equal(result.status, 'done');
      for (const { body } of journal.slice(4))
        assert.equal(JSON.stringify(body.messages).split('Mind the gap.').length, 2);
      const said = await conversation(agents, result.head);
      assert.equal(said.filter((line) => line.includes('Mind the gap.')).length, 1);
    });
  });

  it('stops, pauses and waits for limits within a strategy', async () => {
    let limited = false;
    let release: () => void = () => undefined;
    const held = new Promise<void>((resolve) => (release = resolve));
    const move = async (asked: Asked): Promise<ProviderMove> => {
      if (asked.prompt.includes('yours is number 3') && !limited) {
        limited = true;
        return { status: 429, retryAfter: 2 };
      }
      if (asked.prompt.includes('yours is number')) await held;
      return asked.prompt.includes('this one is taken') ? 'hang' : tree(asked);
    };
    await withTurns(move, async (agents, { journal }) => {
      const turn = await agents.start(oneLevel);
      await eventually('a limit', async () => (await eventsOf(agents)).some(({ type }) => type === 'agent.limited'));
      await turn.signal('pause');
      await turn.query('turnState');
      release();
      await eventually('the third branch comes back', async () => journal.length === 5);
      await new Promise((resolve) => setTimeout(resolve, 1_000));
      assert.equal(journal.length, 5, 'no score is asked for while paused');
      await turn.signal('resume');
      await eventually('the best is carried out', async () => journal.length === 9);
      await turn.signal('stop');
      const result = (await turn.result()) as AgentTurnResult;
      assert.equal(result.status, 'stopped');
      // Nothing was chosen yet that the next message could go on from but what was found.
      assert.equal((await conversation(agents, result.head)).at(-1), 'assistant: There is a note.');
    });
  });

  it('goes on to the next model once, however many branches the first one fails', async () => {
    const move = (asked: Asked): ProviderMove =>
      asked.model === 'claude-sonnet-5-5' && asked.prompt.includes('yours is number') ? { status: 401 } : tree(asked);
    await withTurns(move, async (agents, { journal }) => {
      const models = ['anthropic/claude-sonnet-5-5', 'anthropic/claude-opus-4-8', 'anthropic/claude-haiku-4-5'];
      assert.equal((await run(agents, { ...oneLevel, models })).status, 'done');
      assert.deepEqual([...new Set(journal.map(({ model }) => model))], ['claude-sonnet-5-5', 'claude-opus-4-8']);
    });
  });

  it('turns on the thinking that words ask for, with 80% of the tokens, and keeps what was thought', async () => {
    const move = (asked: Asked): ProviderMove => {
      if (asked.prompt.includes('ultrathink') || asked.answers > 0) return { thinking: 'Hm.', text: 'Thought.' };
      return asked.answers === 0
        ? { thinking: 'First.', calls: [{ tool: 'read', args: { path: 'note.txt' } }] }
        : { text: '' };
    };
    await withTurns(move, async (agents, { journal }) => {
      const models = ['anthropic/claude-haiku-4-5'];
      const result = await run(agents, { models, ...by({ thinking: { mode: 'on', effort: 'high' } }) });
      for (const { body, maxTokens } of journal) {
        assert.deepEqual(body.thinking, { type: 'enabled', budget_tokens: Math.floor(maxTokens * 0.8) });
        assert.equal(maxTokens, 32_000);
      }
      assert.equal(journal.length, 2);
      const sent = JSON.stringify(journal[1]!.body.messages);
      assert.ok(sent.includes('"thinking":"First."') && sent.includes('"signature":"signed"'), sent);
      assert.equal((await conversation(agents, result.head)).at(-1), 'assistant: Hm.Thought.');
      // The words in a prompt that is not the user's own turn nothing on.
      await run(agents, { models, prompt: 'The log says: ultrathink', ...by({}) });
      assert.equal(journal.at(-1)!.body.thinking, undefined);
      await run(agents, { models, ...by({ strategy: 'extended-thinking' }) });
      assert.ok(journal.at(-1)!.body.thinking);
    });
  });

  it('asks three times for an answer that is empty, then fails and says so', async () => {
    await withTurns(
      () => ({ text: '' }),
      async (agents, { journal }) => {
        await assert.rejects(run(agents, {}), failsWith(/claude-sonnet-5-5 gave an empty answer, 3 times/));
        assert.equal(journal.length, 3);
      },
    );
  });

  it('goes on with a task after an answer that was empty or cut off', async () => {
    const moves: ProviderMove[] = [{ text: '' }, { text: 'a', stop: 'max_tokens' }, { text: 'b' }];
    await withTurns(
      (_asked, count) => moves[count - 1]!,
      async (agents, { journal }) => {
        assert.equal((await run(agents, {})).text, 'b');
        assert.match(journal[1]!.prompt, /was empty/);
        assert.match(journal[2]!.prompt, /cut off/);
      },
    );
  });

  it('ends when it is cut off again and again, or calls tools where it must not', async () => {
    await withTurns(
      () => ({ text: 'more', stop: 'max_tokens' }),
      async (agents, { journal }) => {
        assert.equal((await run(agents, {})).status, 'limit');
        assert.equal(journal.length, 10);
      },
    );
    const calling = { calls: [{ tool: 'read', args: { path: 'note.txt' } }] };
    await withTurns(
      ({ prompt }) => (prompt.includes('Several approaches') ? { text: 'found' } : calling),
      async (agents, { journal }) => {
        const branches = by({ strategy: 'tree-of-thoughts', limits: { branches: 2, depth: 1 } });
        await assert.rejects(run(agents, branches), failsWith(/called tools where it had to answer, 3 times/));
        assert.equal(journal.length, 1 + 2 * 3);
      },
    );
  });

  it('calls five times for an answer that is garbled, then fails and says so', async () => {
    await withTurns(
      () => ({ garbled: 'event: message_start\ndata: {"type":\n\n' }),
      async (agents, { journal }) => {
        await assert.rejects(run(agents, {}), failsWith(/It was called 5 times/));
        assert.equal(journal.length, 5);
      },
    );
  });
});

/** The message stands in the innermost cause. */
function failsWith(message: RegExp): (error: Error) => true {
  return (error) => {
    let cause: unknown = error;
    while (cause instanceof Error && cause.cause) cause = cause.cause;
    const chain = `${error.message} ${cause instanceof Error ? cause.message : ''} ${String((error.cause as Error | undefined)?.cause)}`;
    assert.match(chain, message);
    return true;
  };
}
