import assert from 'node:assert/strict';
import { readFile, readdir } from 'node:fs/promises';
import type { StopReason } from '../../contracts/llm.ts';
import { strategySchema } from '../../contracts/reasoning.ts';
import type { Reasoning, ReasoningLimits, StrategyName } from '../../contracts/reasoning.ts';
import { chooseStrategy, reason } from '../../llm/reasoning/choose-strategy.ts';
import type { ReasoningRequest } from '../../llm/reasoning/choose-strategy.ts';
import type { Reasoner, ReasoningResult, ReasoningStep } from '../../llm/reasoning/reasoner.ts';

type Talk = string[];
type Script = (step: ReasoningStep<Talk>) => string | { text: string; stopReason: StopReason };

const verdict = (value: unknown): string => JSON.stringify(value);

interface Scripted extends Reasoner<Talk> {
  asked: ReasoningStep<Talk>[];
  /** What was said to be done, as `title: outcome`. */
  told: string[];
  used: number;
}

/** A model that follows a script; its conversations are the lines that were said. */
function scripted(script: Script, tools = false): Scripted {
  const reasoner: Scripted = {
    asked: [],
    told: [],
    used: 0,
    async ask(step) {
      reasoner.asked.push(step);
      const said = script(step);
      const { text, stopReason } = typeof said === 'string' ? { text: said, stopReason: 'end' as const } : said;
      return { after: [...step.after, ...(step.say ? ['user'] : []), text], text, stopReason };
    },
    async did({ title, outcome }) {
      reasoner.told.push(`${title}: ${outcome}`);
    },
  };
  if (tools) {
    reasoner.useTools = async (_title, answer) => {
      reasoner.used += 1;
      return [...answer.after, `result ${reasoner.used}`];
    };
  }
  return reasoner;
}

const run = (
  strategy: StrategyName,
  reasoner: Reasoner<Talk>,
  limits: ReasoningLimits = {},
): Promise<ReasoningResult<Talk>> => reason(strategy, limits, reasoner, ['goal']);

describe('chain of thought', () => {
  it('answers in the conversation that holds the steps', async () => {
    const model = scripted(({ title }) => (title.startsWith('Think') ? 'steps' : 'answer'));
    const result = await run('chain-of-thought', model);
    assert.deepEqual(result.after, ['goal', 'user', 'steps', 'user', 'answer']);
    assert.deepEqual([result.text, result.ended], ['answer', 'done']);
  });

  it('stops when the thought was cut off', async () => {
    const result = await run(
      'chain-of-thought',
      scripted(() => ({ text: 'st', stopReason: 'max-tokens' })),
    );
    assert.deepEqual([result.ended, result.stopReason], ['stopped', 'max-tokens']);
  });
});

describe('a tree of thoughts', () => {
  const scores: Record<string, number> = {
    '1': 3,
    '2': 8,
    '3': 6,
    '2.1': 4,
    '2.2': 5,
    '2.3': 2,
    '3.1': 7,
    '3.2': 1,
    '3.3': 1,
  };
  const judge: Script = ({ title }) => {
    const path = /approach ([\d.]+)/i.exec(title)?.[1];
    if (title.startsWith('Score')) return verdict({ score: scores[path!], reason: `about ${path}` });
    return title.startsWith('Answer') ? 'answer' : `thought ${path}`;
  };

  it('goes on from the best of each level and answers after the best of the last', async () => {
    const model = scripted(judge);
    const result = await run('tree-of-thoughts', model);
    assert.deepEqual(result.after, ['goal', 'user', 'thought 3', 'user', 'thought 3.1', 'user', 'answer']);
    assert.equal(model.asked.length, 3 * 2 + 6 * 2 + 1);
    assert.ok(model.told.includes('Approach 2: score 8 of 10: about 2'));
  });

  it('takes the first of equals', async () => {
    const model = scripted((step) =>
      step.title.startsWith('Score') ? verdict({ score: 5, reason: '' }) : judge(step),
    );
    const result = await run('tree-of-thoughts', model, { depth: 1 });
    assert.equal(result.after[2], 'thought 1');
  });

  it('goes no deeper once a thought is good enough', async () => {
    const model = scripted((step) =>
      step.title === 'Score approach 3' ? verdict({ score: 9, reason: '' }) : judge(step),
    );
    assert.equal((await run('tree-of-thoughts', model)).after[2], 'thought 3');
    assert.equal(model.asked.length, 7);
  });

  it('asks a judge who cannot be read once more, and scores 0 then', async () => {
    const model = scripted((step) => {
      if (step.title === 'Score approach 1') return 'ten of ten, surely';
      if (step.title === 'Score approach 1, again') return 'I said ten';
      if (step.title === 'Score approach 2') return 'Well.\n```json\n{"score": 2, "reason": "has {braces}"}\n```';
      return step.title.startsWith('Score') ? verdict({ score: 11 }) : judge(step);
    });
    const result = await run('tree-of-thoughts', model, { depth: 1 });
    assert.equal(result.after[2], 'thought 2');
    assert.ok(model.told.includes('Approach 1: score 0 of 10: the judge gave no score'));
    assert.ok(model.told.includes('Approach 2: score 2 of 10: has {braces}'));
  });

  it('goes on without thoughts that were refused, and stops when all were', async () => {
    const refused = { text: '', stopReason: 'refusal' as const };
    const one = scripted((step) => (step.title === 'Approach 2' ? refused : judge(step)));
    assert.equal((await run('tree-of-thoughts', one, { depth: 1 })).after[2], 'thought 3');
    const none = await run(
      'tree-of-thoughts',
      scripted(() => refused),
    );
    assert.deepEqual([none.ended, none.stopReason], ['stopped', 'refusal']);
  });

  it('looks around with tools before it thinks of approaches', async () => {
    const model = scripted(
      (step) => (step.title === 'Look around' ? { text: 'looking', stopReason: 'tool-calls' } : judge(step)),
      true,
    );
    const result = await run('tree-of-thoughts', model, { depth: 1 });
    assert.equal(result.after[3], 'result 1');
    assert.equal(model.told[0], 'Look around: tools used once');
    assert.ok(model.asked.slice(2, -1).every(({ tools, aside }) => !tools && aside));
  });

  it('waits for all branches of a level before it fails with one', async () => {
    let ended = 0;
    const model = scripted(judge);
    const { ask } = model;
    model.ask = async (step) => {
      if (step.title === 'Approach 1') throw new Error('down');
      for (let tick = 0; tick < 10; tick++) await Promise.resolve();
      ended += 1;
      return await ask(step);
    };
    await assert.rejects(run('tree-of-thoughts', model), /down/);
    assert.equal(ended, 4);
  });

  it('is made to fit the calls that are left', async () => {
    for (const calls of [5, 7, 12, 20, 40]) {
      const model = scripted(judge);
      await run('tree-of-thoughts', model, { calls, goodEnough: 11 });
      assert.ok(model.asked.length <= calls, `${model.asked.length} of ${calls}`);
    }
  });
});

describe('self-reflection', () => {
  it('revises until the critique accepts, and hands on the draft without the critique', async () => {
    const model = scripted(({ title }) => {
      if (title === 'Critique 1') return verdict({ accepted: false, problems: ['one', 'two'] });
      if (title === 'Critique 2') return verdict({ accepted: true, problems: [] });
      return title.toLowerCase();
    });
    const result = await run('self-reflection', model);
    assert.equal(result.text, 'revision 1');
    assert.equal(result.after.at(-1), 'revision 1');
    assert.equal(result.ended, 'done');
    assert.deepEqual(model.told, [
      'Draft: done',
      'Critique 1: problems found: 2',
      'Revision 1: done',
      'Critique 2: accepted',
    ]);
  });

  it('ends at its limit with the last revision', async () => {
    const model = scripted(({ title }) =>
      title.startsWith('Critique') ? verdict({ accepted: false, problems: ['x'] }) : title,
    );
    const result = await run('self-reflection', model, { revisions: 3 });
    assert.deepEqual([result.text, result.ended], ['Revision 3', 'limit']);
    assert.equal(model.asked.length, 1 + 3 * 2 + 1);
  });

  it('keeps the draft when the critique cannot be read', async () => {
    const result = await run(
      'self-reflection',
      scripted(({ title }) => (title === 'Draft' ? 'draft' : 'fine')),
    );
    assert.deepEqual([result.text, result.ended], ['draft', 'limit']);
  });
});

describe('progressive reasoning', () => {
  const calling = { text: 'looking', stopReason: 'tool-calls' as const };

  it('looks with tools and refines until it answers without them', async () => {
    const model = scripted(({ title }) => (title === 'Think and look' || title === 'Refine 1' ? calling : title), true);
    const result = await run('progressive', model);
    assert.deepEqual([result.text, result.ended, model.used], ['Refine 2', 'done', 2]);
    assert.deepEqual(
      result.after.filter((line) => line.startsWith('result')),
      ['result 1', 'result 2'],
    );
  });

  it('refines once even when the first round used no tool', async () => {
    const result = await run(
      'progressive',
      scripted(({ title }) => title, true),
    );
    assert.equal(result.text, 'Refine 1');
  });

  it('makes a model answer that calls tools without end', async () => {
    const model = scripted(({ tools, title }) => (tools ? calling : title), true);
    const result = await run('progressive', model, { rounds: 2, callsPerRound: 3 });
    assert.deepEqual([result.text, result.ended, model.used], ['Answer from what is known', 'limit', 6]);
  });

  it('leaves the tools to a model that has something to carry out when the rounds are used up', async () => {
    const model = scripted(({ title }) => (title.endsWith('after tools') ? 'done' : calling), true);
    model.carriesOut = true;
    const result = await run('progressive', model, { rounds: 1, callsPerRound: 2 });
    assert.equal(model.asked.at(-1)!.title, 'Carry out what remains, after tools');
    assert.deepEqual([result.text, model.used], ['done', 2]);
  });

  it('offers no tools where there are none', async () => {
    const model = scripted(({ title }) => title);
    await run('progressive', model);
    assert.ok(model.asked.every(({ tools }) => !tools));
  });
});

describe('every strategy', () => {
  const all = strategySchema.options;
  const script: Script = ({ title }) =>
    title.startsWith('Score')
      ? verdict({ score: 5, reason: 'x' })
      : title.startsWith('Critique')
        ? verdict({ accepted: true, problems: [] })
        : title;

  it('has a short title for each call, and makes the same calls each time', async () => {
    for (const strategy of all) {
      const [first, second] = [scripted(script, true), scripted(script, true)];
      assert.deepEqual(await run(strategy, first), await run(strategy, second));
      assert.deepEqual(first.asked, second.asked);
      for (const { title } of first.asked) assert.ok(title.length > 0 && title.length <= 60, title);
    }
  });

  it('passes thinking on to the provider when it is the extended one', async () => {
    const model = scripted(() => 'x');
    await reason('extended-thinking', {}, model, ['goal'], { effort: 'high', budgetTokens: 5_000 });
    assert.deepEqual(model.asked[0]!.thinking, { mode: 'on', effort: 'high', budgetTokens: 5_000 });
  });

  it('runs where there is no clock, no chance and no Node', async () => {
    const folder = new URL('../../llm/reasoning/', import.meta.url);
    const files = await readdir(folder);
    assert.ok(files.length >= 8);
    for (const file of files) {
      const source = await readFile(new URL(file, folder), 'utf8');
      assert.doesNotMatch(source, /\bDate\b|Math\.random|setTimeout|node:|process\./, file);
      const values = [...source.matchAll(/^import (?!type).* from '(.*)'/gm)].map(([, from]) => from!);
      assert.ok(
        values.every((from) => from.startsWith('./')),
        `${file}: ${values.join()}`,
      );
    }
  });
});

describe('the strategy of a request', () => {
  const request = (more: Partial<ReasoningRequest> = {}): ReasoningRequest => ({
    purpose: 'code',
    modelThinks: false,
    thinking: 'model',
    tools: false,
    failedAttempts: 0,
    ...more,
  });
  const auto = (limits: ReasoningLimits = {}): Reasoning => ({ strategy: 'auto', limits });
  const cases: [Reasoning, Partial<ReasoningRequest>, StrategyName][] = [
    [{}, { modelThinks: true, failedAttempts: 2 }, 'direct'],
    [{ strategy: 'tree-of-thoughts' }, { purpose: 'chat' }, 'tree-of-thoughts'],
    [auto(), { purpose: 'chat', modelThinks: true }, 'direct'],
    [auto(), { purpose: 'chat', modelThinks: true, thinking: 'on' }, 'extended-thinking'],
    [auto(), { purpose: 'plan', modelThinks: true, thinking: 'off' }, 'direct'],
    [auto(), { modelThinks: true }, 'extended-thinking'],
    [auto(), { modelThinks: true, failedAttempts: 2 }, 'tree-of-thoughts'],
    [auto({ calls: 4 }), { modelThinks: true, failedAttempts: 2 }, 'extended-thinking'],
    [auto(), { tools: true }, 'progressive'],
    [auto({ calls: 2 }), { tools: true }, 'direct'],
    [auto(), { purpose: 'plan', tools: true }, 'self-reflection'],
    [auto(), {}, 'chain-of-thought'],
    [auto({ calls: 1 }), {}, 'direct'],
  ];
  for (const [policy, more, expected] of cases) {
    it(`${JSON.stringify(policy)} and ${JSON.stringify(more)} give ${expected}`, () => {
      assert.equal(chooseStrategy(policy, request(more)).strategy, expected);
    });
  }
});
