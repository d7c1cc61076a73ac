import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { HelixClient } from '../../client/client.ts';
import type { JobEventData } from '../../contracts/event.ts';
import { jobRequestSchema } from '../../contracts/job.ts';
import { FileTokenStore } from '../../llm/auth/file-token-store.ts';
import { helixOnTerminal } from '../cli/helix.ts';
import { type Kept, keepOpen } from '../support/keep-open.ts';
import { makeRepository } from '../support/projects.ts';
import { type ModelMove, type ScriptedModel, withScriptedModel } from '../support/scripted-model.ts';
import { type Stack, startStack, succeed } from '../support/stack.ts';
import { eventually } from '../support/eventually.ts';

type Move = (asked: { prompt: string; answers: number; results: string[] }) => ModelMove;
type Asked = Extract<JobEventData, { type: 'agent.asks' }>;
type Answered = Extract<JobEventData, { type: 'chat.answered' }>;

describe('a chat', () => {
  let dir: string;
  let stack: Stack;
  let client: HelixClient;
  let model: ScriptedModel;
  let move: Move;
  let kept: Kept<ScriptedModel>;

  before(async () => {
    dir = await mkdtemp(join(tmpdir(), 'helix-chat-'));
    kept = await keepOpen((use) => withScriptedModel((asked) => move(asked), use));
    model = kept.resource;
    stack = await startStack({
      HELIX_LLM_MODEL: 'anthropic/claude-sonnet-4-5',
      ANTHROPIC_API_KEY: 'key',
      ANTHROPIC_BASE_URL: model.url,
    });
    client = await stack.client();
  });

  after(async () => {
    await stack.down();
    await kept.giveBack();
    await rm(dir, { recursive: true, force: true });
  });

  const edit = (oldText: string, newText: string): ModelMove => [
    { tool: 'edit', args: { path: 'note.txt', oldText, newText } },
  ];
  /** Edits the note as the prompt says: "one to two". */
  const editAsTold: Move = ({ prompt, answers }) => {
    const [, from, to] = /(\w+) to (\w+)/.exec(prompt)!;
    return answers === 0 ? edit(from!, to!) : `It says ${to} now.`;
  };

  const makeNote = async (): Promise<string> =>
    await makeRepository(await mkdtemp(join(dir, 'r-')), { 'note.txt': 'one\n' });

  async function begin(more: object = {}): Promise<string> {
    const source = { location: await makeNote() };
    const request = jobRequestSchema.parse({ kind: 'chat', modes: ['building'], source, ...more });
    return (await client.startJob(request)).jobId;
  }

  async function eventsOf(chatId: string): Promise<JobEventData[]> {
    return (await client.readEvents(chatId, { limit: 1000 })).map(({ data }) => data);
  }

  async function say(chatId: string, text: string): Promise<string> {
    const id = randomUUID();
    await client.say(chatId, { id, text });
    return id;
  }

  const answerTo = (chatId: string, messageId: string): Promise<Answered> =>
    eventually(`an answer to ${messageId}`, async () =>
      (await eventsOf(chatId)).find(
        (event): event is Answered => event.type === 'chat.answered' && event.messageId === messageId,
      ),
    );

  const saidAndAnswered = async (chatId: string, text: string): Promise<Answered> =>
    await answerTo(chatId, await say(chatId, text));

  const asks = (chatId: string, count = 1): Promise<Asked> =>
    eventually('a question', async () =>
      (await eventsOf(chatId)).filter((event): event is Asked => event.type === 'agent.asks').at(count - 1),
    );

  const changes = async (chatId: string, since?: string): Promise<string> =>
    (await client.readChanges(chatId, since)).toString();

  async function killHelix(): Promise<void> {
    const { pid } = (await stack.status()).find(({ name }) => name === 'helix')!;
    process.kill(pid!, 'SIGKILL');
    await eventually('another process answers', async () => {
      const now = (await stack.status()).find(({ name }) => name === 'helix');
      const isUp = await client.health().then(
        () => true,
        () => false,
      );
      return isUp && now?.pid !== undefined && now.pid !== pid;
    });
  }

  it('answers one message of a script with JSON lines and a branch, and goes on with the conversation when resumed', async () => {
    move = editAsTold;
    const repo = await makeNote();
    const first = await stack.helix(['chat', '--json', '--repo', repo], { input: 'one to two\n' });
    assert.equal(first.code, 0, first.stdout + first.stderr);
    const lines = first.stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as { type: string; chatId: string; branch: string; said: string });
    const result = lines.at(-1)!;
    assert.deepEqual([result.type, result.said], ['result', 'It says two now.']);
    assert.ok(lines.some(({ type }) => type === 'tool.called'));
    assert.equal(await succeed('git', ['show', `${result.branch}:note.txt`], { cwd: repo }), 'two\n');
    assert.equal(await succeed('git', ['show', 'HEAD:note.txt'], { cwd: repo }), 'one\n');

    move = (asked) => {
      assert.ok(asked.results.length > 0, 'the tools of the first message are in the conversation');
      return editAsTold(asked);
    };
    const second = await stack.helix(['chat', '--resume', result.chatId], { input: 'two to three' });
    assert.equal(second.code, 0, second.stderr);
    assert.equal(second.stdout, 'It says three now.\n');
    assert.equal(await succeed('git', ['show', `${result.branch}:note.txt`], { cwd: repo }), 'three\n');
    assert.match((await stack.helix(['diff', result.chatId])).stdout, /\+three/);
  });

  /** Types `keys` one after the other, each when the text before it has come since the last ones. */
  async function onTerminal(args: string[], script: [sees: RegExp, keys: string][]): Promise<string> {
    let read = 0;
    const { stdout, code } = await helixOnTerminal(['chat', ...args], {
      env: { ...stack.env, COLUMNS: '200' },
      onOutput(output, child) {
        const [sees, keys] = script[0] ?? [];
        if (!sees || keys === undefined || !sees.test(output.slice(read))) return;
        script.shift();
        read = output.length;
        child.stdin!.write(keys);
      },
    });
    assert.equal(code, 0, stdout);
    assert.deepEqual(script, [], stdout);
    return stdout;
  }

  it('asks, answers and takes commands at a prompt', async () => {
    move = editAsTold;
    const shown = await onTerminal(
      ['--repo', await makeNote(), '--permissions', 'ask'],
      [
        [/> /, 'one to two\r'],
        [/edit note\.txt.*\[y\]es/s, 'a\r'],
        [/It says two now\.[^]*> /, 'two to three\r'],
        [/It says three now\.[^]*> /, '/diff\r'],
        [/\+three[^]*> /, '/undo\r'],
        [/back to c1[^]*> /, '/apply\r'],
        [/1 file changed[^]*> /, '/cost\r'],
        [/4 calls[^]*> /, '/nothing\r'],
        [/there is no \/nothing[^]*> /, '/exit\r'],
      ],
    );
    assert.match(shown, /the changes are on the branch helix\/job-/);
    assert.equal(shown.match(/\[y\]es/g)?.length, 1, 'what is always allowed is asked for once');
  });

  it('stops with Ctrl-C and leaves with a second one', async () => {
    move = () => [{ tool: 'run', args: { command: 'sleep 600' } }];
    const shown = await onTerminal(
      ['--repo', await makeNote(), '--permissions', 'ask'],
      [
        [/> /, 'something long\r'],
        [/run sleep 600.*\[y\]es/s, '\x03'],
        [/stopped[^]*> /, '\x03'],
        [/once more leaves/, '\x03'],
      ],
    );
    assert.match(shown, /helix chat --resume job-/);
  });

  it('takes a message that is sent twice once', async () => {
    move = editAsTold;
    const chatId = await begin();
    const message = { id: 'm', text: 'one to two' };
    await Promise.all([client.say(chatId, message), client.say(chatId, message)]);
    await answerTo(chatId, 'm');
    await client.say(chatId, message);
    await saidAndAnswered(chatId, 'two to three');
    assert.equal((await eventsOf(chatId)).filter(({ type }) => type === 'chat.asked').length, 2);
  });

  it('asks before it changes a file, and not again for what was always allowed, in later messages neither', async () => {
    move = editAsTold;
    const chatId = await begin({ permissions: { mode: 'ask' } });
    const first = await say(chatId, 'one to two');
    const { callId, tool } = await asks(chatId);
    assert.equal(tool, 'edit');
    const always = { decision: 'allow', tool } as const;
    await client.tellAgent(chatId, { type: 'decide', callId, allowed: true, always });
    await answerTo(chatId, first);
    assert.equal((await saidAndAnswered(chatId, 'two to three')).status, 'done');
    assert.match(await changes(chatId), /\+three/);
  });

  it('goes back to an earlier message with its files, its conversation, or both, and forks from there', async () => {
    const heard: number[] = [];
    move = (asked) => {
      heard.push(asked.results.length);
      return editAsTold(asked);
    };
    const chatId = await begin();
    const first = await saidAndAnswered(chatId, 'one to two');
    await saidAndAnswered(chatId, 'two to three');
    await client.undo(chatId, { checkpointId: first.checkpoint, what: 'code' });
    assert.match(await changes(chatId), /\+two/);
    await client.undo(chatId, { checkpointId: 'c0', what: 'conversation' });
    heard.length = 0;
    await saidAndAnswered(chatId, 'two to four');
    assert.equal(heard[0], 0, 'the conversation begins anew');
    assert.match(await changes(chatId), /\+four/);
    const { jobId: forkId } = await client.forkChat(chatId, { checkpointId: first.checkpoint });
    await saidAndAnswered(forkId, 'two to five');
    assert.match(await changes(forkId), /\+five/);
    assert.match(await changes(chatId), /\+four/);
    await assert.rejects(client.undo(chatId, { checkpointId: 'c99', what: 'both' }), /there is no checkpoint c99/);
  });

  it('stops when it is told to, keeps what was done, and answers the next message', async () => {
    move = ({ prompt, answers }) =>
      prompt.includes('long')
        ? answers === 0
          ? edit('one', 'two')
          : [{ tool: 'run', args: { command: 'sleep 600' } }]
        : 'Here I am.';
    const chatId = await begin();
    const messageId = await say(chatId, 'something long');
    await eventually('the command runs', async () =>
      (await eventsOf(chatId)).some(({ type }) => type === 'step.started'),
    );
    await assert.rejects(client.undo(chatId, { checkpointId: 'c0', what: 'both' }), /stop it first/);
    await client.tellAgent(chatId, { type: 'stop' });
    assert.equal((await answerTo(chatId, messageId)).status, 'stopped');
    assert.match(await changes(chatId), /\+two/);
    assert.equal((await saidAndAnswered(chatId, 'and now')).text, 'Here I am.');
  });

  it('survives that its process is killed between two messages and in the middle of one', async () => {
    move = editAsTold;
    const chatId = await begin();
    await saidAndAnswered(chatId, 'one to two');
    await killHelix();
    await saidAndAnswered(chatId, 'two to three');
    move = ({ answers }) => {
      if (answers === 0) return edit('three', 'four');
      return answers === 1 ? [{ tool: 'run', args: { command: 'sleep 3; cat note.txt' } }] : 'It says four.';
    };
    const before = model.calls();
    const messageId = await say(chatId, 'and make it four');
    await eventually('the command runs', async () =>
      (await eventsOf(chatId)).some(({ type }) => type === 'step.started'),
    );
    await killHelix();
    assert.equal((await answerTo(chatId, messageId)).text, 'It says four.');
    assert.match(await changes(chatId), /\+four/);
    assert.equal(model.calls() - before, 3, 'nothing that was answered is asked again');
  });

  it('goes on in a run of its own after many messages, with its files, its conversation and what was allowed', async () => {
    move = editAsTold;
    const chatId = await begin({ permissions: { mode: 'ask' } });
    const first = await say(chatId, 'one to two');
    const { callId } = await asks(chatId);
    const always = { decision: 'allow', tool: 'edit' } as const;
    await client.tellAgent(chatId, { type: 'decide', callId, allowed: true, always });
    await answerTo(chatId, first);
    move = () => 'Yes.';
    const last = await Promise.all(Array.from({ length: 50 }, (_, index) => say(chatId, `message ${index}`))).then(
      (ids) => ids.at(-1)!,
    );
    await eventually(
      'an answer to each',
      async () => {
        const events = await eventsOf(chatId);
        return events.filter(({ type }) => type === 'chat.answered').length === 51;
      },
      90_000,
    );
    await client.say(chatId, { id: last, text: 'said before' });
    move = editAsTold;
    assert.equal((await saidAndAnswered(chatId, 'two to three')).checkpoint, 'c52');
    assert.match(await changes(chatId), /\+three/);
    const events = await eventsOf(chatId);
    assert.equal(events.filter(({ type }) => type === 'job.started').length, 1);
    assert.equal(events.filter(({ type }) => type === 'agent.asks').length, 1);
  });

  it('keeps a budget for all of its messages together, and goes on when it is raised', async () => {
    // Another command for each message: the same one on the same files would be answered from the cache, and take no time.
    let work = 'sleep 6.5';
    move = ({ answers }) => (answers === 0 ? [{ tool: 'run', args: { command: work } }] : 'Done.');
    // Twelve seconds: enough for one such message on a slow machine too, never for two.
    const chatId = await begin({ budget: { minutes: 0.2 } });
    const first = await saidAndAnswered(chatId, 'work');
    assert.equal(first.status, 'done');
    const before = model.calls();
    work = 'sleep 6.6';
    const messageId = await say(chatId, 'work more');
    const outOfBudget = await eventually('the chat has worked for twelve seconds', async () =>
      (await eventsOf(chatId)).find(({ type }) => type === 'agent.out-of-budget'),
    );
    assert.match(outOfBudget.type === 'agent.out-of-budget' ? outOfBudget.reason : '', /minutes/);
    assert.ok(model.calls() - before <= 1, 'what the first message took is not there for the second');
    await client.tellAgent(chatId, { type: 'raise-budget', by: { minutes: 1 } });
    assert.equal((await answerTo(chatId, messageId)).status, 'done');
  });

  it('says that a message failed and why, and stays', async () => {
    move = () => ({ status: 400 });
    const chatId = await begin();
    const failed = await saidAndAnswered(chatId, 'x');
    assert.equal(failed.status, 'failed');
    assert.notEqual(failed.text, '');
    move = () => 'Better.';
    assert.equal((await saidAndAnswered(chatId, 'again')).text, 'Better.');
  });

  it('goes on in a new chat when it has ended', async () => {
    move = editAsTold;
    const chatId = await begin();
    await saidAndAnswered(chatId, 'one to two');
    await client.cancel(chatId);
    await eventually('the chat has ended', async () => (await client.getJob(chatId)).status === 'cancelled');
    await assert.rejects(say(chatId, 'more'), /has ended/);
    const { code, stderr } = await stack.helix(['chat', '--resume', chatId], { input: 'two to three' });
    assert.equal(code, 0, stderr);
    assert.match(stderr, /goes on from it/);
  });

  it('asks a provider that somebody has logged in to after the stack was started', async () => {
    move = () => 'From Qwen.';
    await new FileTokenStore(join(stack.home, 'tokens')).put('qwen', {
      accessToken: 'token',
      baseUrl: `${model.url}/v1`,
    });
    const { code, stdout, stderr } = await stack.helix(
      ['chat', '--repo', await makeNote(), '--model', 'qwen/qwen3-coder-plus'],
      { input: 'hello' },
    );
    assert.equal(code, 0, stderr);
    assert.equal(stdout, 'From Qwen.\n');
  });
});
