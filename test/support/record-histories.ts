// node test/support/record-histories.ts: runs jobs that take every path worth keeping, and writes the histories of all their workflows to
// test/histories/. Run it for a release, after a change that the old histories do not cover; never to make a failing replay pass.
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client, Connection, type WorkflowExecutionInfo } from '@temporalio/client';
import { loadConfig } from '../../config/load.ts';
import { prepareSample } from '../../examples/prepare-sample.ts';
import { readStackState } from '../../infra/embedded/stack.ts';
import { resolveTemporalCli } from '../../infra/embedded/temporal-cli.ts';
import { makeRepository } from './projects.ts';
import { eventually, root, type Stack, startStack, succeed } from './stack.ts';

const target = join(root, 'test', 'histories');
const dir = await mkdtemp(join(tmpdir(), 'helix-histories-'));
const stack = await startStack();
try {
  await runJobs(stack);
  await writeHistories(stack);
} finally {
  await stack.down();
  await rm(dir, { recursive: true, force: true });
}

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
