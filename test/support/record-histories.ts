// node test/support/record-histories.ts: runs jobs that take every path worth keeping, and writes the histories of all their workflows to
// test/histories/. Run it for a release, after a change that the old histories do not cover; never to make a failing replay pass.
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Client, Connection, type WorkflowExecutionInfo } from '@temporalio/client';
import { loadConfig } from '../../config/load.ts';
import { prepareSample } from '../../examples/prepare-sample.ts';
import { readStackState } from '../../infra/embedded/stack.ts';
import { resolveTemporalCli } from '../../infra/embedded/temporal-cli.ts';
import { writeTinyGguf } from '../llm/support/tiny-gguf.ts';
import { endShared } from './hooks.ts';
import { withModelMachine } from './model-machine.ts';
import { makeRepository } from './projects.ts';
import { type ModelMove, withScriptedModel } from './scripted-model.ts';
import { root, type Stack, startStack, succeed } from './stack.ts';
import { eventually } from './eventually.ts';

let refusals = 0;
const target = join(root, 'test', 'histories');
const dir = await mkdtemp(join(tmpdir(), 'helix-histories-'));
await withScriptedModel(agentMove, async (model) => {
  const stack = await startStack({
    ANTHROPIC_API_KEY: 'key',
    ANTHROPIC_BASE_URL: model.url,
    HELIX_LLM_LLAMACPP_GPU: 'off',
  });
  try {
    await runJobs(stack);
    await runAgents(stack);
    await runChats(stack);
    await runNodes(stack);
    await writeHistories(stack);
  } finally {
    await stack.down();
    await endShared();
    await rm(dir, { recursive: true, force: true });
  }
});

async function runJobs({ helix, run }: Stack): Promise<void> {
  const sample = await prepareSample(join(dir, 'sample'));
  const script = (test: string, build = 'true') => ({
    'package.json': JSON.stringify({ name: 'p', version: '1.0.0', private: true, scripts: { build, test } }),
  });
  const slow = await makeRepository(join(dir, 'slow'), script('true', 'sleep 3'));
  const failing = await makeRepository(join(dir, 'failing'), script('exit 1'));
  const empty = await makeRepository(join(dir, 'empty'), { 'a.txt': 'a' });
  const phaseOf = async (jobId: string): Promise<string> =>
    (JSON.parse((await helix(['show', jobId, '--json'])).stdout) as { phase: string; status: string }).phase;
  const detached = async (...args: string[]): Promise<string> => {
    const jobId = /job-[a-z0-9]{12}/.exec((await helix(['run', '--detach', ...args])).stdout)![0];
    await eventually('the build runs', async () => (await phaseOf(jobId)) === 'building' || args.includes('--approve'));
    return jobId;
  };

  const kept = await run([
    '--repo',
    sample,
    '--recipe',
    'rename-symbol:getWeight=billableWeight',
    '--recipe',
    'rename-symbol:noSuchName=other',
  ]);
  await helix(['rollback', kept.result.jobId, 'c3']);
  await run(['--repo', sample, '--modes', 'testing']);
  await run(['--repo', failing]);
  await run(['--repo', empty]);
  await run(['--repo', slow, '--node-class', 'quantum', '--node-wait', '1s']);

  const approved = await detached('--repo', sample, '--approve');
  await helix(['approve', approved]);
  await helix(['watch', approved]);
  const rejected = await detached('--repo', sample, '--approve');
  await helix(['reject', rejected, '--reason', 'no']);
  await helix(['watch', rejected]);
  const paused = await detached('--repo', slow, '--no-cache');
  await helix(['pause', paused]);
  await helix(['resume', paused]);
  await helix(['watch', paused]);
  const rolledBack = await detached('--repo', slow, '--no-cache');
  await helix(['rollback', rolledBack, 'c1']);
  await eventually('the job is paused', async () => (await helix(['show', rolledBack])).stdout.includes('paused'));
  await helix(['resume', rolledBack]);
  await helix(['watch', rolledBack]);
  const cancelled = await detached('--repo', slow, '--no-cache');
  await helix(['cancel', cancelled]);
  await helix(['watch', cancelled]);
  await helix(['nodes', 'probe', 'local']);
}

/** Takes every way through a turn: decisions, a question, a command, another agent, limits, a repair, a review. */
function agentMove({ prompt, answers }: { prompt: string; answers: number }): ModelMove {
  if (prompt.includes('Do not change anything yet')) {
    const items = ['a', 'b'].map((id) => ({ id, title: `The ${id}`, prompt: `Do ${id}.` }));
    const isDivided = prompt.includes('by two agents') && answers === 0;
    return isDivided ? [{ tool: 'propose-work', args: { items } }] : 'Edit the note.';
  }
  const [, item] = /Carry out the item (\w):/.exec(prompt) ?? [];
  if (item !== undefined)
    return answers === 0 ? [{ tool: 'write', args: { path: 'note.txt', content: `two ${item}\n` } }] : 'done';
  if (prompt.includes('collides in these files'))
    return answers === 0 ? [{ tool: 'write', args: { path: 'note.txt', content: 'two a and b\n' } }] : 'done';
  if (prompt.includes('only the note'))
    return answers === 0 ? [{ tool: 'read', args: { path: 'note.txt' } }] : 'The note says one.';
  if (prompt.includes("project's tests failed"))
    return answers === 0 ? [{ tool: 'edit', args: { path: 'note.txt', oldText: 'bad', newText: 'two' } }] : 'Mended.';
  if (prompt.includes('as its reviewer'))
    return answers === 0 ? [{ tool: 'write', args: { path: 'more.txt', content: 'more\n' } }] : 'Reviewed.';
  if (prompt.startsWith('edit ')) {
    const [, oldText, newText] = /^edit (\w+) to (\w+)/.exec(prompt)!;
    return answers === 0 ? [{ tool: 'edit', args: { path: 'note.txt', oldText, newText } }] : 'Edited.';
  }
  if (prompt.startsWith('long')) return [{ tool: 'run', args: { command: 'sleep 600' } }];
  if (!prompt.includes('mplement') && !prompt.includes('be quick')) return 'done';
  switch (answers) {
    case 0:
      return [{ tool: 'edit', args: { path: 'note.txt', oldText: 'one', newText: 'bad' } }];
    case 1:
      return [{ tool: 'run', args: { command: 'cat note.txt' } }];
    case 2:
      return [{ tool: 'ask-user', args: { question: 'Which word?' } }];
    case 3:
      return [{ tool: 'delegate', args: { title: 'The note', prompt: 'Look at only the note' } }];
    case 4:
      return (refusals += 1) % 2 === 1 ? { status: 429, retryAfter: 1 } : [{ tool: 'list', args: {} }];
    default:
      return 'done';
  }
}

async function runAgents({ helix, status }: Stack): Promise<void> {
  const manifest = { name: 'p', version: '1.0.0', private: true, scripts: { test: 'grep -q -e one -e two note.txt' } };
  const project = { 'package.json': JSON.stringify(manifest), 'note.txt': 'one\n' };
  const repository = await makeRepository(join(dir, 'agent'), project);
  const startedFor = async (goal: string, ...args: string[]): Promise<string> =>
    /job-[a-z0-9]{12}/.exec((await helix(['run', '--detach', goal, '--repo', repository, ...args])).stdout)![0];
  const started = (...args: string[]): Promise<string> => startedFor('Change the note', ...args);
  const api = (await status()).find(({ name }) => name === 'helix')!.address!;
  type Heard = { type: string; callId: string; kind?: string };
  const eventsOf = async (jobId: string): Promise<Heard[]> => {
    const response = await fetch(`http://${api.replace(/^https?:\/\//, '')}/v1/jobs/${jobId}/events?limit=1000`);
    return ((await response.json()) as { events: { data: Heard }[] }).events.map(({ data }) => data);
  };
  const heard = (jobId: string, type: string): Promise<Heard> =>
    eventually(`event ${type}`, async () => (await eventsOf(jobId)).find((event) => event.type === type));

  const asking = await started('--permissions', 'ask');
  const decided = new Set<string>();
  for (let events: Heard[] = []; !events.some(({ type }) => type === 'job.finished'); events = await eventsOf(asking)) {
    for (const { type, callId, kind } of events) {
      if (type !== 'agent.asks' || decided.has(callId)) continue;
      decided.add(callId);
      if (kind === 'question') await helix(['answer', asking, callId, 'two']);
      else if (decided.size === 2) await helix(['deny', asking, callId, '--reason', 'no']);
      else await helix(['allow', asking, callId, ...(decided.size === 1 ? [] : ['--always', 'write'])]);
      if (decided.size === 3) await helix(['tell', asking, 'please be quick']);
    }
    await sleep(200);
  }

  const poor = await started('--budget-tokens', '1000', '--modes', 'building');
  await heard(poor, 'agent.out-of-budget');
  await helix(['pause', poor]);
  await helix(['resume', poor]);
  await helix(['budget', poor, '--tokens', '3000000']);
  await heard(poor, 'agent.asks');
  await helix(['stop', poor]);
  await helix(['watch', poor]);

  const divided = await startedFor('Change the note by two agents', '--modes', 'planning,building');
  await helix(['watch', divided]);

  const cancelled = await started('--permissions', 'ask');
  await heard(cancelled, 'agent.asks');
  await helix(['cancel', cancelled]);
  await helix(['watch', cancelled]);
}

async function runChats({ helix }: Stack): Promise<void> {
  const repository = await makeRepository(join(dir, 'chat'), { 'note.txt': 'one\n' });
  const say = async (input: string, ...args: string[]): Promise<string> =>
    /job-[a-z0-9]{12}/.exec((await helix(['chat', '--json', ...args], { input })).stdout)![0];
  const chat = await say('edit one to two', '--repo', repository);
  await say('edit two to three', '--resume', chat);
  await helix(['diff', chat]);
  await helix(['rollback', chat, 'c1']);
  const long = say('long', '--resume', chat);
  await eventually('a command runs', async () => (await helix(['show', chat])).stdout.includes('running'));
  await sleep(3_000);
  await helix(['stop', chat]);
  await long;
  await helix(['cancel', chat]);
  await say('edit one to four', '--resume', chat);
}

async function runNodes({ helix }: Stack): Promise<void> {
  const file = join(dir, 'own.gguf');
  await writeTinyGguf(file, { context: 4_096 });
  await withModelMachine(async ({ sshd }) => {
    const { user, host, port, keyFile } = sshd.target;
    const knownHosts = await sshd.knownHosts();
    const add = ['add', `${user}@${host}:${port}`, '--name', 'n1', '--key', keyFile, '--known-hosts', knownHosts];
    for (const args of [add, ['cordon', 'n1'], ['uncordon', 'n1'], ['probe', 'n1']]) await helix(['nodes', ...args]);
    await helix(['models', 'pull', file, '--node', 'n1']);
    await helix(['models', 'test', 'llamacpp/own', '--prompt', 'Hi', '--max-tokens', '5']);
    await helix(['models', 'rm', 'own']);
    await helix(['nodes', 'drain', 'n1']);
    await helix(['nodes', 'retire', 'n1']);
  });
}

async function writeHistories({ env }: Stack): Promise<void> {
  const { temporalAddress } = (await readStackState(loadConfig(env)))!;
  const cli = await resolveTemporalCli({ onProgress: console.error });
  const connection = await Connection.connect({ address: temporalAddress });
  const { workflow } = new Client({ connection });
  await rm(target, { recursive: true, force: true });
  await mkdir(target, { recursive: true });
  const numbers = new Map<string, number>();
  const executions: WorkflowExecutionInfo[] = [];
  for await (const execution of workflow.list()) executions.push(execution);
  executions.sort((a, b) => a.startTime.getTime() - b.startTime.getTime());
  for (const { workflowId, runId, type } of executions) {
    const number = (numbers.get(type) ?? 0) + 1;
    numbers.set(type, number);
    const shown = await succeed(cli, [
      'workflow',
      'show',
      '--workflow-id',
      workflowId,
      '--run-id',
      runId,
      '--output',
      'json',
      '--address',
      temporalAddress,
    ]);
    const history = JSON.parse(shown) as unknown;
    await writeFile(join(target, `${type}-${number}.json`), `${JSON.stringify(withoutMachine(history))}\n`);
  }
  await connection.close();
  console.log(`wrote ${executions.length} histories to ${target}`);
}

/** Takes folders and names of this machine out of every text, also of those within payloads: replaying does not look at them. */
function withoutMachine(value: unknown, key = ''): unknown {
  if (Array.isArray(value)) return value.map((item) => withoutMachine(item));
  if (value !== null && typeof value === 'object') {
    return Object.fromEntries(Object.entries(value).map(([name, child]) => [name, withoutMachine(child, name)]));
  }
  if (typeof value !== 'string') return value;
  if (key !== 'data') return anonymous(value);
  return Buffer.from(anonymous(Buffer.from(value, 'base64').toString('latin1')), 'latin1').toString('base64');
}

function anonymous(text: string): string {
  return text
    .replaceAll(process.execPath, '/opt/node/bin/node')
    .replaceAll(root, '/opt/helixcode/')
    .replaceAll(dir, '/home/someone')
    .replaceAll(`@${hostname()}`, '@machine')
    .replaceAll(/"host":"[^"]*"/g, '"host":"machine"')
    .replaceAll(/"hostname":"[^"]*"/g, '"hostname":"machine"');
}
