import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import { symlink } from 'node:fs/promises';
import { join } from 'node:path';
import type { LocalModelDetails, LocalModelList, PullEvent } from '../../contracts/local-model.ts';
import type { AgentTurnResult } from '../../contracts/workflow.ts';
import { readEvents } from '../../db/events.ts';
import { orchestratorTaskQueue } from '../../workflows/task-queues.ts';
import { llamaHome } from '../llm/support/llama-home.ts';
import { writeTinyGguf } from '../llm/support/tiny-gguf.ts';
import { withAgents } from '../support/agents.ts';
import { withModelMachine } from '../support/model-machine.ts';
import { withScriptedModel } from '../support/scripted-model.ts';
import type { Sshd } from '../support/sshd.ts';
import { type Stack, startStack } from '../support/stack.ts';
import { eventually } from '../support/eventually.ts';

function running(sshd: Sshd): number {
  return sshd.processes().filter(({ command }) => /model-host-\w+\.mjs (--root|model)/.test(command)).length;
}

const settings = { HELIX_LLM_LLAMACPP_THREADS: '1', HELIX_LLM_LLAMACPP_GPU: 'off' };

describe('a model on a node, from the command line', function () {
  this.timeout(180_000);
  let stack: Stack;
  before(async () => {
    const [home, started] = await Promise.all([llamaHome(), startStack(settings)]);
    stack = started;
    await symlink(join(home, 'llama-cpp'), join(stack.home, 'llama-cpp'));
  });
  after(() => stack.down());

  it('is pulled to it, asked there, also after its node-pool was killed, and removed without a trace', () =>
    withModelMachine(async ({ sshd, dir }) => {
      const models = (...args: string[]) => stack.helix(['models', ...args]);
      const { target } = sshd;
      const added = await stack.helix([
        'nodes',
        'add',
        `${target.user}@${target.host}:${target.port}`,
        '--name',
        'n1',
        '--key',
        target.keyFile,
        '--known-hosts',
        await sshd.knownHosts(),
      ]);
      assert.equal(added.code, 0, added.stderr);
      assert.match((await models('recommend')).stderr, /local: \d+ CPUs[^]*n1: \d+ CPUs/);

      const file = join(dir, 'own.gguf');
      await writeTinyGguf(file, { context: 65_536, endless: true });
      const pulled = await models('pull', file, '--node', 'n1', '--json');
      assert.equal(pulled.code, 0, pulled.stderr);
      const last = JSON.parse(pulled.stdout.trim().split('\n').at(-1)!) as PullEvent;
      assert.ok(last.type === 'done' && last.name === 'llamacpp/own@n1');
      assert.match((await models('list')).stdout, /llamacpp\/own@n1 +33k/);
      const { models: listed } = JSON.parse((await models('list', '--local', '--json')).stdout) as LocalModelList;
      assert.deepEqual(
        listed.map(({ name, node }) => [name, node]),
        [['own', 'n1']],
      );
      const info = JSON.parse((await models('info', 'own', '--json')).stdout) as LocalModelDetails;
      assert.deepEqual([info.model?.node, info.path], ['n1', undefined]);

      const ask = (name: string, tokens = 20) => models('test', name, '--prompt', 'Hi', '--max-tokens', String(tokens));
      const answer = await ask('llamacpp/own');
      assert.equal(answer.code, 0, answer.stderr);
      assert.match(answer.stderr, /llamacpp\/own@n1: \d+ .* \+ 20 tokens, \$0\.000000/);
      assert.ok(answer.stdout.length > 5);
      assert.equal(running(sshd), 2);

      const processes = await stack.status();
      const { pid } = processes.find(({ name }) => name === 'helix')!;
      process.kill(pid!, 'SIGKILL');
      await eventually('nothing is left of it', async () => running(sshd) === 0);
      await eventually('it is started again', async () => (await stack.helix(['nodes', 'probe', 'n1'])).code === 0);
      const again = await ask('llamacpp/own@n1');
      assert.equal(again.code, 0, again.stderr);

      assert.equal((await models('rm', 'own')).code, 0);
      assert.equal(existsSync(join(sshd.home, '.helix', 'models', 'own')), false);
      const gone = await ask('llamacpp/own');
      assert.deepEqual([gone.code, /no local model own/.test(gone.stderr)], [2, true]);
      assert.equal((await stack.helix(['nodes', 'remove', 'n1'])).code, 0);
      await eventually('nothing is left of it', async () => running(sshd) === 0);
    }));
});

describe('a model on a node, asked by an agent', function () {
  this.timeout(180_000);
  before(() => llamaHome());

  it('answers, and when its node is lost in the middle of a call the next model goes on', () =>
    withModelMachine(({ sshd, dir }) =>
      withScriptedModel(
        () => 'All is done.',
        ({ url }) =>
          withAgents(
            { nodes: true, env: { ...settings, ANTHROPIC_API_KEY: 'none', ANTHROPIC_BASE_URL: url } },
            async ({ client, database, job, start }) => {
              const run = (workflow: string, ...args: object[]): Promise<unknown> =>
                client.workflow.execute(workflow, {
                  taskQueue: orchestratorTaskQueue,
                  workflowId: randomUUID(),
                  args,
                });
              const hostKey = { kind: 'known-hosts', file: await sshd.knownHosts() };
              await run('registerNode', { name: 'n1', ssh: sshd.target, hostKey, labels: {} });
              for (const endless of [false, true]) {
                const file = join(dir, endless ? 'endless.gguf' : 'brief.gguf');
                await writeTinyGguf(file, { context: 65_536, endless });
                await run('pullNodeModel', { node: 'n1', source: file });
              }

              const answered = (await (
                await start({ models: ['llamacpp/brief@n1'], tools: ['read'] })
              ).result()) as AgentTurnResult;
              assert.equal(answered.status, 'done');
              assert.ok(answered.spending.outputTokens > 0);

              const turn = await start({
                models: ['llamacpp/endless@n1', 'anthropic/claude-sonnet-5-5'],
                tools: ['read'],
              });
              // The host, the model of before, and this one.
              await eventually('it answers', async () => running(sshd) === 3);
              await sshd.stop();
              await eventually('nothing is left of it', async () => running(sshd) === 0);
              const { status, text } = (await turn.result()) as AgentTurnResult;
              assert.deepEqual([status, text], ['done', 'All is done.']);
              const events = await readEvents(database, job.jobId, 0, 1000);
              const notes = events.flatMap(({ data }) => (data.type === 'note' ? [data.message] : []));
              assert.ok(
                notes.some((note) => /n1.*(lost|not connected).*going on with anthropic/s.test(note)),
                notes.join('\n'),
              );
            },
          ),
      ),
    ));
});
