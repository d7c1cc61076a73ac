import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { HelixClient } from '../../client/client.ts';
import type { JobEventData } from '../../contracts/event.ts';
import { helixOnTerminal } from '../cli/helix.ts';
import { type Kept, keepOpen } from '../support/keep-open.ts';
import { makeRepository } from '../support/projects.ts';
import {
  type Asked,
  type ProviderMove,
  type ScriptedProvider,
  withScriptedProvider,
} from '../support/scripted-provider.ts';
import { type Stack, startStack } from '../support/stack.ts';
import { eventually } from '../support/eventually.ts';

describe('reasoning in a job and a chat', function () {
  this.timeout(180_000);

  let dir: string;
  let repository: string;
  let stack: Stack;
  let client: HelixClient;
  let provider: ScriptedProvider;
  let move: (asked: Asked) => ProviderMove | Promise<ProviderMove>;
  let kept: Kept<ScriptedProvider>;

  before(async () => {
    dir = await mkdtemp(join(tmpdir(), 'helix-reasoning-'));
    repository = await makeRepository(join(dir, 'repository'), {
      'package.json': JSON.stringify({ name: 'p', version: '1.0.0', private: true, scripts: { build: 'true' } }),
      'note.txt': 'one\n',
    });
    kept = await keepOpen((use) => withScriptedProvider((asked) => move(asked), use));
    provider = kept.resource;
    stack = await startStack({
      HELIX_LLM_MODEL: 'anthropic/claude-haiku-4-5',
      HELIX_LLM_REASONING: 'self-reflection',
      HELIX_LLM_REASONING_LIMITS_DEPTH: '1',
      ANTHROPIC_API_KEY: 'key',
      ANTHROPIC_BASE_URL: provider.url,
    });
    client = await stack.client();
  });

  beforeEach(() => {
    provider.journal.length = 0;
  });

  after(async () => {
    await stack.down();
    await kept.giveBack();
    await rm(dir, { recursive: true, force: true });
  });

  async function eventsOf(jobId: string): Promise<JobEventData[]> {
    return (await client.readEvents(jobId, { limit: 1000 })).map(({ data }) => data);
  }

  it('plans by comparing approaches, tells every step, and repeats no answered call after kill -9', async () => {
    let release: () => void = () => undefined;
    const held = new Promise<void>((resolve) => (release = resolve));
    move = async ({ prompt, body }) => {
      if (prompt.includes('Several approaches')) return { text: 'There is a note.' };
      const number = /yours is number (\d)/.exec(prompt)?.[1];
      if (number === '3') await held;
      if (number !== undefined) return { text: `approach ${number} is this` };
      const path = [...JSON.stringify(body.messages).matchAll(/approach (\d) is this/g)].at(-1)?.[1];
      if (prompt.includes('Judge the approach'))
        return { text: `{"score": ${path === '2' ? 8 : 4}, "reason": "because"}` };
      return { text: `The plan by approach ${path}.` };
    };
    const started = await stack.helix([
      'run',
      '--detach',
      'Change the note, think hard',
      '--repo',
      repository,
      '--modes',
      'planning',
      '--reasoning',
      'tree-of-thoughts',
    ]);
    const jobId = /job-[a-z0-9]{12}/.exec(started.stdout)?.[0] ?? assert.fail(started.stderr);
    await eventually('two approaches are scored', async () => {
      const events = await eventsOf(jobId);
      return events.filter(({ type }) => type === 'reasoning.step').length === 3;
    });
    const before = provider.journal.length;
    process.kill((await stack.status()).find(({ name }) => name === 'helix')!.pid!, 'SIGKILL');
    release();
    const watched = await stack.helix(['watch', jobId]);
    assert.equal(watched.code, 0, watched.stdout + watched.stderr);
    assert.match(watched.stdout, /Plan the goal: Approach 2: score 8 of 10: because/);

    const { journal } = provider;
    assert.equal(before, 1 + 3 + 2);
    assert.equal(journal.length, before + 1 + 1 + 1, 'the third approach again, its score, and the plan');
    const { prompt } = journal[before]!;
    assert.match(prompt, /yours is number 3/);
    for (const { body, maxTokens } of journal)
      assert.deepEqual(body.thinking, { type: 'enabled', budget_tokens: Math.floor(maxTokens * 0.8) });

    const job = await client.getJob(jobId);
    assert.equal(job.result!.spending!.calls, 1 + 3 * 2 + 1);
    assert.equal(job.request.reasoning!.strategy, 'tree-of-thoughts');
    assert.match((await client.readArtifact(jobId, 'plan.md')).toString(), /The plan by approach 2\./);
    const steps = (await eventsOf(jobId)).flatMap((event) =>
      event.type === 'model.answered' ? [event.step ?? ''] : [],
    );
    assert.deepEqual(steps.toSorted(), [
      'Answer from approach 2',
      'Approach 1',
      'Approach 2',
      'Approach 3',
      'Look around',
      'Score approach 1',
      'Score approach 2',
      'Score approach 3',
    ]);
    const shown = await stack.helix(['show', jobId]);
    assert.match(shown.stdout, /tree-of-thoughts +as asked for/);
    assert.match(shown.stdout, /Approach 2 +score 8 of 10: because/);
  });

  it('reflects on a plan where the configuration says so', async () => {
    let critiques = 0;
    move = ({ prompt }) => {
      if (prompt.includes('strict reviewer')) {
        const accepted = (critiques += 1) > 1;
        return { text: JSON.stringify({ accepted, problems: accepted ? [] : ['no test'] }) };
      }
      return { text: prompt.includes('mend these problems') ? 'A plan with a test.' : 'A plan.' };
    };
    const { code, result, events, stderr } = await stack.run([
      'Change the note',
      '--repo',
      repository,
      '--modes',
      'planning',
    ]);
    assert.equal(code, 0, stderr);
    assert.match((await client.readArtifact(result.jobId, 'plan.md')).toString(), /A plan with a test\./);
    const told = (events as JobEventData[]).flatMap((event) =>
      event.type === 'reasoning.step' ? [`${event.step}: ${event.outcome}`] : [],
    );
    assert.deepEqual(told, [
      'Draft: done',
      'Critique 1: problems found: 1',
      'Revision 1: done',
      'Critique 2: accepted',
    ]);
    assert.ok(provider.journal.every(({ body }) => body.thinking === undefined));
  });

  it('answers a message of a chat as the message asks, and hands on the answer and not the last words', async () => {
    move = ({ prompt }) =>
      prompt.includes('strict reviewer')
        ? { text: '{"accepted": true, "problems": []}' }
        : { thinking: 'Let me see.', text: 'It says one.' };
    const first = await stack.helix(['chat', '--repo', repository], { input: 'What does the note say?' });
    assert.equal(first.code, 0, first.stderr);
    assert.equal(first.stdout, 'It says one.\n');
    assert.match(first.stderr, /Critique 1: accepted/);
    const chatId = /job-[a-z0-9]{12}/.exec(first.stderr)![0];
    provider.journal.length = 0;
    const input = 'Think hard: is that so?';
    const second = await stack.helix(['chat', '--resume', chatId, '--reasoning', 'direct'], { input });
    assert.equal(second.stdout, 'It says one.\n');
    assert.equal(provider.journal.length, 1);
    assert.ok(provider.journal[0]!.body.thinking);
    assert.equal(provider.journal[0]!.maxTokens, 32_000);
  });

  it('shows what is thought at the prompt of a chat, and takes a strategy for the next messages there', async () => {
    move = ({ prompt }) => {
      if (prompt.includes('step by step: what is known')) return { text: 'One step.' };
      return { thinking: 'Let me see.', text: 'It says one.' };
    };
    const script: [RegExp, string][] = [
      [/> /, '/reasoning chain-of-thought\r'],
      [/from the next message on[^]*> /, 'What does the note say?\r'],
      [/It says one\.[^]*> /, '/reasoning direct\r'],
      [/direct from the next message on[^]*> /, 'Again?\r'],
      [/It says one\.[^]*> /, '/exit\r'],
    ];
    let read = 0;
    const { stdout } = await helixOnTerminal(['chat', '--repo', repository], {
      env: stack.env,
      onOutput(output, child) {
        const [sees, keys] = script[0] ?? [];
        if (!sees || keys === undefined || !sees.test(output.slice(read))) return;
        script.shift();
        read = output.length;
        child.stdin!.write(keys);
      },
    });
    assert.deepEqual(script, [], stdout);
    assert.match(stdout, /Chat: Think step by step: One step\./);
    assert.match(stdout, /Chat: Answer from the steps: done/);
    assert.match(stdout, /\x1b\[2mLet me see\.\x1b\[22m/);
    assert.equal(provider.journal.length, 3);
  });

  it('refuses a strategy that there is not, and names those there are', async () => {
    const { code, stderr } = await stack.helix(['run', 'x', '--repo', repository, '--reasoning', 'magic']);
    assert.equal(code, 2);
    assert.match(stderr, /--reasoning takes one of direct, .*auto, not "magic"/);
  });
});
