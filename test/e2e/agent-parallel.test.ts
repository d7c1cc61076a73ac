import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { HelixClient } from '../../client/client.ts';
import type { JobEventData } from '../../contracts/event.ts';
import type { JobView } from '../../contracts/job.ts';
import type { WorkItemState } from '../../contracts/plan.ts';
import { type Kept, keepOpen } from '../support/keep-open.ts';
import { makeRepository, npmPackage } from '../support/projects.ts';
import { type ModelMove, type ScriptedModel, withScriptedModel } from '../support/scripted-model.ts';
import { type Stack, startStack, succeed } from '../support/stack.ts';
import { addToQueue, queueItems } from '../support/parallel-work.ts';
import { eventually } from '../support/eventually.ts';

type Asked = { prompt: string; answers: number; results: string[] };
type Move = (asked: Asked) => ModelMove;

const edit = (path: string, oldText: string, newText: string): { tool: string; args: unknown } => ({
  tool: 'edit',
  args: { path, oldText, newText },
});

describe('several agents in one job', function () {
  this.timeout(300_000);

  let dir: string;
  let stack: Stack;
  let model: ScriptedModel;
  let client: HelixClient;
  let move: Move;
  let kept: Kept<ScriptedModel>;

  before(async () => {
    dir = await mkdtemp(join(tmpdir(), 'helix-agent-parallel-'));
    kept = await keepOpen((use) => withScriptedModel((asked) => move(asked), use));
    model = kept.resource;
    stack = await startStack({ ANTHROPIC_API_KEY: 'key', ANTHROPIC_BASE_URL: model.url });
    client = await stack.client();
  });

  after(async () => {
    await stack.down();
    await kept.giveBack();
    await rm(dir, { recursive: true, force: true });
  });

  async function start(script: Move, repository: string, ...options: string[]): Promise<string> {
    move = script;
    const args = ['run', '--detach', 'Do it', '--repo', repository, '--modes', 'planning,building', ...options];
    const { stdout, stderr } = await stack.helix(args);
    return /job-[a-z0-9]{12}/.exec(stdout)?.[0] ?? assert.fail(stderr);
  }

  async function finished(jobId: string): Promise<JobView> {
    return await eventually(
      `${jobId} ends`,
      async () => {
        // Away while it is killed.
        const job = await client.getJob(jobId).catch(() => undefined);
        return job?.result ? job : undefined;
      },
      120_000,
    );
  }

  async function eventsOf(jobId: string): Promise<JobEventData[]> {
    return (await client.readEvents(jobId, { limit: 1_000 })).map(({ data }) => data);
  }

  async function answer(jobId: string, callId: string, text: string): Promise<void> {
    await client.tellAgent(jobId, { type: 'answer', callId, answer: text });
  }

  async function asks(jobId: string, count: number): Promise<Extract<JobEventData, { type: 'agent.asks' }>[]> {
    return await eventually(`${count} agents ask`, async () => {
      const found = (await eventsOf(jobId)).filter((data) => data.type === 'agent.asks');
      return found.length >= count && found;
    });
  }

  async function inState(jobId: string, id: string, state: WorkItemState): Promise<void> {
    await eventually(`${id} is ${state}`, async () => {
      // Away while it is killed.
      const job = await client.getJob(jobId).catch(() => undefined);
      return job?.items.some((item) => item.id === id && item.state === state);
    });
  }

  /** Of two items, whose agent came to its end first. */
  async function assertBefore(jobId: string, first: string, second: string): Promise<void> {
    const changes = (await eventsOf(jobId)).flatMap((data) => (data.type === 'items.changed' ? data.items : []));
    const order = changes.filter(({ state }) => state === 'merging').map(({ id }) => id);
    assert.ok(order.includes(first) && order.indexOf(first) < order.indexOf(second), order.join());
  }

  const files = (names: Record<string, string>): Record<string, string> => ({
    'package.json': JSON.stringify({ name: 'p', version: '1.0.0', private: true, scripts: { build: 'true' } }),
    ...names,
  });

  const repositoryOf = async (names: Record<string, string>): Promise<string> =>
    makeRepository(await mkdtemp(join(dir, 'r-')), files(names));

  const show = async (repository: string, job: JobView, path: string): Promise<string> =>
    succeed('git', ['-C', repository, 'show', `${job.result!.branch!}:${path}`]);

  describe('on a real package', () => {
    let repository: string;
    let first: JobView;

    before(async () => {
      repository = await npmPackage(join(dir, 'fastq'), 'fastq@1.19.1');
    });

    it('carry out the items of the plan, settle what collides, and all of it is in the result', async () => {
      const jobId = await start(addToQueue({ size: 1_500 }), repository, '--modes', 'planning,building,testing');
      first = await finished(jobId);
      assert.equal(first.result!.status, 'succeeded', JSON.stringify(first.result!.reason));
      assert.equal(first.result!.tests.failed, 0);
      assert.deepEqual(
        first.items.map(({ id, state }) => [id, state]),
        queueItems.map(({ id }) => [id, 'merged']),
      );
      assert.match(await show(repository, first, 'queue.js'), /return _running \+ length\(\)/);
      assert.match(await show(repository, first, 'index.d.ts'), /size\(\): number/);
      assert.match(await show(repository, first, 'test/test.js'), /test\('size'/);
      const readme = await show(repository, first, 'README.md');
      assert.match(readme, /queue#<b>size\(\)<\/b>/);
      assert.match(readme, /Not for many processes/);
      assert.doesNotMatch(readme, /^[<=>]{7}/m);
      const titles = first.checkpoints.filter(({ phase }) => phase === 'building').map(({ title }) => title);
      assert.deepEqual(titles, [...queueItems.map(({ id, title }) => `${id}: ${title}`), 'After building']);
      await assertBefore(jobId, 'types', 'size');

      const plan = (await client.readArtifact(jobId, 'plan.md')).toString();
      assert.match(plan, /## Approach\n\nAdd `size\(\)`[^]*## Work items[^]*\| `tests` \|[^]*`size`, `types`/);
      const { stdout, stderr } = await stack.helix(['show', jobId]);
      assert.equal(stderr, '');
      assert.match(stdout, /ITEM +STATE +AFTER[^]*tests +merged +size, types/);
    });

    it('give the same files whichever is first', async () => {
      const job = await finished(await start(addToQueue({ types: 2_000, notes: 100 }), repository));
      assert.equal(job.result!.status, 'succeeded', JSON.stringify(job.result!.reason));
      await assertBefore(job.jobId, 'size', 'types');
      assert.equal(job.result!.snapshot, first.result!.snapshot);
    });

    it('give the same files when Helix is killed while they work', async () => {
      const jobId = await start(addToQueue({ size: 3_000, types: 3_000 }), repository);
      await inState(jobId, 'size', 'running');
      await inState(jobId, 'types', 'running');
      process.kill((await stack.status()).find(({ name }) => name === 'helix')!.pid!, 'SIGKILL');
      const job = await finished(jobId);
      assert.equal(job.result!.status, 'succeeded', JSON.stringify(job.result!.reason));
      assert.equal(job.result!.snapshot, first.result!.snapshot);
    });
  });

  const planned =
    (items: { id: string; needs?: string[]; files?: string[] }[], work: Move): Move =>
    (asked) => {
      if (!asked.prompt.includes('Do not change anything yet')) return work(asked);
      if (asked.answers > 0) return 'The plan.';
      return [
        {
          tool: 'propose-work',
          args: { items: items.map((item) => ({ title: `The ${item.id}`, prompt: `Do ${item.id}.`, ...item })) },
        },
      ];
    };
  const two = [{ id: 'a' }, { id: 'b' }];
  const itemOf = ({ prompt }: Asked): string => /Carry out the item ([\w-]+):/.exec(prompt)?.[1] ?? '';

  it('do an item anew on top of the others when what collides is never settled', async () => {
    const repository = await repositoryOf({ 'note.txt': 'one\n' });
    let turns = 0;
    const script = planned(two, (asked) => {
      const { prompt, answers } = asked;
      const settles = prompt.includes('collides in these files') || prompt.includes('still there');
      if (settles) {
        turns += 1;
        return 'I would rather not.';
      }
      if (prompt.includes('could not be put together'))
        return answers === 0 ? [edit('note.txt', 'by a', 'by a and b')] : 'done anew';
      return answers === 0 ? [edit('note.txt', 'one', `by ${itemOf(asked)}`)] : 'done';
    });
    const job = await finished(await start(script, repository));
    assert.equal(job.result!.status, 'succeeded', JSON.stringify(job.result!.reason));
    assert.equal(turns, 3);
    assert.equal(await show(repository, job, 'note.txt'), 'by a and b\n');
  });

  it('fail the phase with the reason when an item cannot be done, and keep what is whole', async () => {
    const repository = await repositoryOf({ 'note.txt': 'one\n' });
    const items = [...two, { id: 'c', needs: ['b'] }];
    const script = planned(items, (asked) => {
      const { prompt, answers } = asked;
      if (prompt.includes('collides in these files')) return { status: 401 };
      const id = itemOf(asked);
      const change = id === 'c' ? edit('note.txt', 'by b', 'by b and c') : edit('note.txt', 'one', `by ${id}`);
      return answers === 0 ? [change] : 'done';
    });
    const jobId = await start(script, repository);
    const { result, items: itemsThen } = await finished(jobId);
    assert.equal(result!.status, 'failed');
    assert.equal(result!.reason!.code, 'building.failed');
    assert.match(result!.reason!.message, /item a \(The a\): .*401/i);
    assert.deepEqual(
      itemsThen.map(({ id, state }) => [id, state]),
      [
        ['a', 'failed'],
        ['b', 'merged'],
        ['c', 'merged'],
      ],
    );
    const { stdout } = await stack.helix(['diff', jobId]);
    assert.match(stdout, /^\+by b and c$/m);
    assert.doesNotMatch(stdout, /[<=>]{7}/);
  });

  it('hear what is said to one or all of them, and their questions are told apart', async () => {
    const repository = await repositoryOf({ 'a.txt': 'one\n', 'b.txt': 'one\n' });
    const script = planned(two, (asked) => {
      const { prompt, answers, results } = asked;
      if (/^please/m.test(prompt)) {
        const word = results[0]!;
        if (answers === 0) return [{ tool: 'ask-user', args: { question: prompt } }];
        return answers === 1 ? [edit(word === 'three' ? 'a.txt' : 'b.txt', 'one', word)] : 'done';
      }
      const id = itemOf(asked);
      return [{ tool: 'ask-user', args: { question: `Which word for ${id}?` } }];
    });
    const jobId = await start(script, repository);
    const questions = await asks(jobId, 2);
    const question = (id: string): { callId: string; title: string } =>
      questions.find(({ text }) => text.includes(`for ${id}?`))!;
    assert.deepEqual(
      ['a', 'b'].map((id) => question(id).title),
      ['a: The a', 'b: The b'],
    );
    assert.equal((await stack.helix(['tell', jobId, 'please both'])).code, 0);
    assert.equal((await stack.helix(['tell', jobId, 'please only you', '--agent', 'b'])).code, 0);
    const wrong = await stack.helix(['tell', jobId, 'x', '--agent', 'c']);
    assert.equal(wrong.code, 2);
    assert.match(wrong.stderr, /no agent "c" works .*those that do: (a, b|b, a)/);
    await answer(jobId, question('b').callId, 'two');
    await answer(jobId, question('a').callId, 'three');
    const heard = (await asks(jobId, 4)).slice(2);
    assert.deepEqual(heard.map(({ title, text }) => `${title} ${text}`).sort(), [
      'a: The a please both',
      'b: The b please both\n\nplease only you',
    ]);
    for (const { callId } of heard) await answer(jobId, callId, 'yes');
    const job = await finished(jobId);
    assert.equal(job.result!.status, 'succeeded', JSON.stringify(job.result!.reason));
    assert.equal(await show(repository, job, 'a.txt'), 'three\n');
    assert.equal(await show(repository, job, 'b.txt'), 'two\n');
  });

  it('share one budget, wait when it is used up, and go on with what they are given', async () => {
    const repository = await repositoryOf({ 'a.txt': 'one\n', 'b.txt': 'one\n' });
    const script = planned(two, (asked) => {
      const id = itemOf(asked);
      return asked.answers < 8 ? [{ tool: 'read', args: { path: `${id}.txt` } }] : 'done';
    });
    const jobId = await start(script, repository, '--budget', '0.08');
    await eventually('both are out of it', async () => {
      const out = (await eventsOf(jobId)).flatMap((data) => (data.type === 'agent.out-of-budget' ? [data.title] : []));
      return new Set(out).size === 2;
    });
    const spent = (events: JobEventData[]): number =>
      events.reduce((sum, data) => sum + (data.type === 'model.answered' ? data.usd! : 0), 0);
    assert.ok(spent(await eventsOf(jobId)) <= 0.08);
    await client.tellAgent(jobId, { type: 'raise-budget', by: { usd: 4 } });
    const job = await finished(jobId);
    assert.equal(job.result!.status, 'succeeded', JSON.stringify(job.result!.reason));
    assert.ok(Math.abs(job.result!.spending!.usd - spent(await eventsOf(jobId))) < 1e-9);
  });

  it('work no more than are allowed at once, pause with the job, and stop with what they have done', async () => {
    const repository = await repositoryOf({ 'a.txt': 'one\n', 'b.txt': 'one\n', 'c.txt': 'one\n' });
    const script = planned([...two, { id: 'c' }], (asked) => {
      const id = itemOf(asked);
      if (id === '' || asked.answers > 1) return 'done';
      if (asked.answers === 0) return [edit(`${id}.txt`, 'one', `two`)];
      return id === 'c' ? 'done' : [{ tool: 'ask-user', args: { question: 'And now?' } }];
    });
    const jobId = await start(script, repository, '--parallel-agents', '2');
    const questions = await asks(jobId, 2);
    assert.equal((await client.getJob(jobId)).items.find(({ id }) => id === 'c')!.state, 'waiting');
    await client.pause(jobId);
    await answer(jobId, questions[0]!.callId, 'go on');
    const calls = model.calls();
    assert.equal((await stack.helix(['stop', jobId, '--agent', questions[0]!.title[0]!])).code, 0);
    assert.equal(model.calls(), calls, 'nobody asks a model while the job is paused');
    await client.resume(jobId);
    await inState(jobId, 'c', 'merging');
    await client.tellAgent(jobId, { type: 'stop' });
    const job = await finished(jobId);
    assert.equal(job.result!.status, 'succeeded', JSON.stringify(job.result!.reason));
    const { stdout } = await stack.helix(['diff', jobId]);
    assert.equal(stdout.match(/^\+two$/gm)!.length, 3);
  });
});
