import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { JobEventData } from '../../contracts/event.ts';
import { type Kept, keepOpen } from '../support/keep-open.ts';
import { makeRepository } from '../support/projects.ts';
import { type ModelMove, type ScriptedModel, withScriptedModel } from '../support/scripted-model.ts';
import { type Stack, startStack } from '../support/stack.ts';
import { eventually } from '../support/eventually.ts';

type Event = JobEventData & { seq: number };
type Move = (asked: { prompt: string; answers: number; results: string[] }) => ModelMove;

describe('what users say to an agent', () => {
  let dir: string;
  let stack: Stack;
  let model: ScriptedModel;
  let move: Move;
  let kept: Kept<ScriptedModel>;

  before(async () => {
    dir = await mkdtemp(join(tmpdir(), 'helix-agent-control-'));
    kept = await keepOpen((use) => withScriptedModel((asked) => move(asked), use));
    model = kept.resource;
    stack = await startStack({
      HELIX_LLM_MODEL: 'anthropic/claude-sonnet-4-5',
      ANTHROPIC_API_KEY: 'key',
      ANTHROPIC_BASE_URL: model.url,
      // Nobody listens there.
      HELIX_LLM_XAI_API_KEY: 'key',
      HELIX_LLM_XAI_BASE_URL: 'http://127.0.0.1:9',
    });
  });

  after(async () => {
    await stack.down();
    await kept.giveBack();
    await rm(dir, { recursive: true, force: true });
  });

  /** Starts a job that only builds, so that one agent works. */
  async function start(script: Move, ...options: string[]): Promise<string> {
    move = script;
    const repository = await makeRepository(await mkdtemp(join(dir, 'r-')), {
      'package.json': JSON.stringify({ name: 'p', version: '1.0.0', private: true, scripts: { test: 'cat note.txt' } }),
      'note.txt': 'one\n',
    });
    const { stdout, stderr } = await stack.helix([
      'run',
      '--detach',
      'Change the note',
      '--repo',
      repository,
      '--modes',
      'building',
      ...options,
    ]);
    return /job-[a-z0-9]{12}/.exec(stdout)?.[0] ?? assert.fail(stderr);
  }

  async function eventsOf(jobId: string): Promise<Event[]> {
    const address = (await stack.status()).find(({ name }) => name === 'helix')!.address!;
    const response = await fetch(`http://${address.replace(/^http:\/\//, '')}/v1/jobs/${jobId}/events?limit=1000`);
    const { events } = (await response.json()) as { events: { seq: number; data: JobEventData }[] };
    return events.map(({ seq, data }) => ({ ...data, seq }));
  }

  async function eventOf<Type extends JobEventData['type']>(
    jobId: string,
    type: Type,
    count = 1,
  ): Promise<Extract<Event, { type: Type }>> {
    const found = await eventually(`event ${type} of ${jobId}`, async () =>
      (await eventsOf(jobId)).filter((event) => event.type === type).at(count - 1),
    );
    return found as Extract<Event, { type: Type }>;
  }

  async function diffAfter(jobId: string): Promise<string> {
    const watched = await stack.helix(['watch', jobId]);
    assert.equal(watched.code, 0, watched.stdout + watched.stderr);
    return (await stack.helix(['diff', jobId])).stdout;
  }

  const edit = (oldText: string, newText: string): ModelMove => [
    { tool: 'edit', args: { path: 'note.txt', oldText, newText } },
  ];

  it('asks before it changes a file in the mode "ask", goes on when that is allowed, and without it when not', async () => {
    const jobId = await start(
      ({ answers, results }) => {
        if (answers === 0) return edit('one', 'two');
        if (answers === 1) return [{ tool: 'run', args: { command: 'rm -rf /' } }];
        assert.match(results.at(-1)!, /not here/);
        return 'done';
      },
      '--permissions',
      'ask',
    );
    const first = await eventOf(jobId, 'agent.asks');
    assert.match(first.text, /edit note\.txt/);
    assert.equal((await stack.helix(['allow', jobId, first.callId])).code, 0);
    const second = await eventOf(jobId, 'agent.asks', 2);
    assert.match(second.text, /rm -rf/);
    await stack.helix(['deny', jobId, second.callId, '--reason', 'not here']);
    assert.match(await diffAfter(jobId), /\+two/);
  });

  it('does what a rule denies in no mode, and says so to the model', async () => {
    const jobId = await start(
      ({ answers, results }) => {
        if (answers === 0) return edit('one', 'two');
        assert.match(results.at(-1)!, /Not permitted/);
        return 'I may not.';
      },
      '--permissions',
      'full',
      '--deny',
      'edit:note.txt',
    );
    assert.equal(await diffAfter(jobId), '');
  });

  it('takes an answer to its question', async () => {
    const jobId = await start(({ answers, results }) => {
      if (answers === 0) return [{ tool: 'ask-user', args: { question: 'Which word?', choices: ['two', 'three'] } }];
      if (answers === 1) return edit('one', /two|three/.exec(results.at(-1)!)![0]);
      return 'done';
    });
    const asks = await eventOf(jobId, 'agent.asks');
    assert.equal(asks.kind, 'question');
    await stack.helix(['answer', jobId, asks.callId, 'three']);
    assert.match(await diffAfter(jobId), /\+three/);
  });

  it('hears what it is told while it works', async () => {
    const jobId = await start(({ prompt, answers }) => {
      if (prompt.includes('make it four')) return answers === 0 ? edit('one', 'four') : 'done';
      return answers === 0 ? [{ tool: 'run', args: { command: 'sleep 5' } }] : 'done without a change';
    });
    await eventOf(jobId, 'step.started');
    assert.equal((await stack.helix(['tell', jobId, 'please make it four'])).code, 0);
    assert.match(await diffAfter(jobId), /\+four/);
  });

  it('stops in the middle of a command and keeps what it has done', async () => {
    const jobId = await start(({ answers }) =>
      answers === 0 ? edit('one', 'five') : [{ tool: 'run', args: { command: 'sleep 600' } }],
    );
    await eventOf(jobId, 'step.started');
    await stack.helix(['stop', jobId]);
    assert.match(await diffAfter(jobId), /\+five/);
  });

  it('pauses when its budget is used up, goes on when it is raised, and never spends more', async () => {
    const jobId = await start(
      ({ answers }) => (answers < 4 ? [{ tool: 'read', args: { path: 'note.txt' } }] : 'done'),
      '--budget',
      '0.05',
    );
    const event = await eventOf(jobId, 'agent.out-of-budget');
    assert.match(event.reason, /budget/);
    await stack.helix(['budget', jobId, '--usd', '5']);
    assert.equal((await stack.helix(['watch', jobId])).code, 0);
    const spent = (await eventsOf(jobId)).flatMap((one) => (one.type === 'model.answered' ? [one] : []));
    const before = spent.filter((one) => one.seq < event.seq).reduce((sum, one) => sum + one.usd!, 0);
    assert.ok(before <= 0.05, String(before));
    assert.equal(spent.length, 5);
  });

  it('lets another agent do a part, on the same files and the same budget', async () => {
    const jobId = await start(({ prompt, answers, results }) => {
      if (prompt.includes('only the note')) return answers === 0 ? edit('one', 'six') : 'The note says six.';
      if (answers === 0) return [{ tool: 'delegate', args: { title: 'The note', prompt: 'Change only the note' } }];
      assert.match(results.at(-1)!, /The note says six/);
      return 'done';
    });
    assert.match(await diffAfter(jobId), /\+six/);
  });

  it('refactors towards the goal in a job that builds nothing, and once more when that broke something', async () => {
    const jobId = await start(
      ({ prompt, answers }) => {
        if (prompt.includes('was rolled back, because')) return answers === 0 ? edit('one', 'nine') : 'done';
        assert.match(prompt, /Refactor the sources towards this goal/);
        return answers === 0 ? [{ tool: 'delete', args: { path: 'note.txt' } }] : 'done';
      },
      '--modes',
      'refactoring',
    );
    assert.match(await diffAfter(jobId), /\+nine/);
    const { stdout } = await stack.helix(['show', jobId]);
    assert.match(stdout, /rolled back because .*kept/s);
  });

  it('waits out what its provider asks it to, and goes on where it was', async () => {
    let refused = 0;
    const jobId = await start(({ answers }) => {
      if (answers === 0) return edit('one', 'seven');
      if (refused < 2) return { status: (refused += 1) === 1 ? 429 : 529, retryAfter: 2 };
      return 'done';
    });
    const limited = await eventOf(jobId, 'agent.limited');
    assert.ok(Date.parse(limited.until) > Date.now() - 1_000);
    const before = model.calls();
    assert.match(await diffAfter(jobId), /\+seven/);
    assert.ok(model.calls() - before <= 2, 'nothing that was answered is asked again');
  });

  it('goes on with the next model when the first is not to be had', async () => {
    const jobId = await start(
      ({ answers }) => (answers === 0 ? edit('one', 'eight') : 'done'),
      '--model',
      'xai/grok-4',
      '--fallback',
      'anthropic/claude-sonnet-4-5',
    );
    assert.match(await diffAfter(jobId), /\+eight/);
    const models = (await eventsOf(jobId)).flatMap((event) => (event.type === 'model.answered' ? [event.model] : []));
    assert.deepEqual([...new Set(models)], ['anthropic/claude-sonnet-4-5']);
  });

  it('names a model, a provider or a budget that cannot be, before the job starts', async () => {
    const refused = async (...args: string[]): Promise<string> => {
      const { code, stderr } = await stack.helix(['run', 'x', '--repo', join(dir), ...args]);
      assert.equal(code, 2, stderr);
      return stderr;
    };
    await makeRepository(dir, { 'a.txt': 'a' });
    assert.match(await refused('--model', 'anthropic/claude-sonet-4-5'), /no model claude-sonet-4-5; did you mean/);
    assert.match(await refused('--model', 'antropic/x'), /Did you mean anthropic/);
    assert.match(await refused('--model', 'openai/gpt-5'), /needs an API key: set OPENAI_API_KEY/);
    assert.match(await refused('--model', 'nothing'), /provider\/model/);
    assert.match(await refused('--budget', '0'), /above zero/);
    assert.match(await refused('--permissions', 'some'), /plan|ask/);
  });
});
