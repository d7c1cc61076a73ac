import assert from 'node:assert/strict';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { JobResult, JobView } from '../../contracts/job.ts';
import { makeRepository } from '../support/projects.ts';
import { type Stack, startStack, succeed } from '../support/stack.ts';
import { eventually } from '../support/eventually.ts';

const manifest = (scripts: Record<string, string>): Record<string, string> => ({
  'package.json': JSON.stringify({ name: 'controlled', version: '1.0.0', private: true, scripts }, null, 2),
});

describe('what a user says to a job', () => {
  let stack: Stack;
  let dir: string;
  let quick: string;

  before(async () => {
    dir = await mkdtemp(join(tmpdir(), 'helix-control-'));
    stack = await startStack();
    quick = await makeRepository(join(dir, 'quick'), manifest({ build: 'node -e 0', test: 'node -e 0' }));
  });

  after(async () => {
    await stack?.down();
    await rm(dir, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 });
  });

  const show = async (jobId: string): Promise<JobView> =>
    JSON.parse((await stack.helix(['show', jobId, '--json'])).stdout) as JobView;
  const start = async (args: string[]): Promise<string> => {
    const { code, stdout, stderr } = await stack.helix(['run', '--detach', ...args]);
    assert.equal(code, 0, stderr);
    return /job-[a-z0-9]{12}/.exec(stdout)![0];
  };
  const ended = (jobId: string): Promise<JobResult> =>
    eventually(
      `${jobId} ends`,
      async () => {
        const { result } = await show(jobId);
        return result ?? undefined;
      },
      60_000,
    );
  const say = async (code: number, ...args: string[]): Promise<string> => {
    const output = await stack.helix(args);
    assert.equal(output.code, code, `helix ${args.join(' ')}: ${output.stdout}${output.stderr}`);
    return output.stdout + output.stderr;
  };

  it('waits for an approval with exit code 5 when there is nobody to ask, and goes on when it comes', async () => {
    const { code, result, events } = await stack.run(['--repo', quick, '--approve']);
    assert.equal(code, 5);
    const jobId = (events[0] as { jobId: string }).jobId ?? result.jobId;
    assert.equal((await show(jobId)).status, 'waiting-for-approval');
    await say(0, 'approve', jobId);
    await say(0, 'watch', jobId);
    assert.equal((await ended(jobId)).status, 'succeeded');
  });

  it('ends a rejected job with exit code 4 and the reason', async () => {
    const jobId = await start(['--repo', quick, '--approve']);
    await eventually('the job waits', async () => (await show(jobId)).status === 'waiting-for-approval');
    await say(0, 'reject', jobId, '--reason', 'not this way');
    await say(4, 'watch', jobId);
    const result = await ended(jobId);
    assert.equal(result.reason?.message, 'not this way');
    assert.equal(result.branch, null);
    await say(0, 'reject', jobId);
    assert.match(await say(2, 'approve', jobId), /has ended \(rejected\)/);
  });

  it('pauses before the next step and resumes, each any number of times', async () => {
    const repository = await makeRepository(
      join(dir, 'pause'),
      manifest({ build: 'node -e "setTimeout(() => 0, 2000)"', test: 'node -e 0' }),
    );
    const jobId = await start(['--repo', repository]);
    await eventually('the build runs', async () => (await show(jobId)).phase === 'building');
    await say(0, 'pause', jobId);
    await say(0, 'pause', jobId);
    assert.equal((await show(jobId)).status, 'paused');
    await new Promise((resolve) => setTimeout(resolve, 4_000));
    const { status, result } = await show(jobId);
    assert.equal(status, 'paused');
    assert.equal(result, null);
    await say(0, 'resume', jobId);
    await say(0, 'resume', jobId);
    assert.equal((await ended(jobId)).status, 'succeeded');
  });

  it('takes what comes at any moment, also when a phase has just ended', async () => {
    const client = await stack.client();
    const jobId = await start(['--repo', quick, '--no-cache']);
    const refusals: string[] = [];
    const hammer = async (): Promise<void> => {
      while ((await client.getJob(jobId)).result === null)
        for (const tell of [client.pause, client.resume])
          await tell(jobId).catch((error: unknown) => refusals.push((error as Error).message));
    };
    await Promise.all([hammer(), hammer(), hammer()]);
    assert.equal((await ended(jobId)).status, 'succeeded');
    assert.deepEqual(
      refusals.filter((message) => !/has ended \(succeeded\)/.test(message)),
      [],
    );
  });

  it('cancels in the middle of a step and leaves no process behind', async () => {
    const marker = `cancelled-${process.pid}`;
    const repository = await makeRepository(
      join(dir, 'cancel'),
      manifest({ build: `sleep 300 & sh -c 'exec -a ${marker} sleep 301' & setsid sleep 302 & wait` }),
    );
    const jobId = await start(['--repo', repository]);
    const sleepers = async (): Promise<number> =>
      (await commandLines()).filter((line) => /^(sleep|cancelled-\d+)\s+30[012]$/.test(line)).length;
    await eventually('the step runs', async () => (await sleepers()) >= 2);
    await say(0, 'cancel', jobId);
    await say(4, 'watch', jobId);
    assert.equal((await ended(jobId)).status, 'cancelled');
    await eventually('every process is gone', async () => (await sleepers()) === 0, 15_000);
    await say(0, 'cancel', jobId);
  });

  it('rolls back while it runs: pauses at the checkpoint and goes on from there when resumed', async () => {
    const repository = await makeRepository(
      join(dir, 'rollback'),
      manifest({ build: 'node -e "setTimeout(() => 0, 3000)"', test: 'node -e 0' }),
    );
    const jobId = await start(['--repo', repository]);
    await eventually('the build runs', async () => (await show(jobId)).phase === 'building');
    await say(0, 'rollback', jobId, 'c1');
    await eventually('the job is paused', async () => (await show(jobId)).status === 'paused');
    assert.match((await show(jobId)).checkpoints.at(-1)!.title, /Rolled back to c1/);
    assert.match(await say(2, 'rollback', jobId, 'c99'), /no checkpoint c99/);
    await say(0, 'resume', jobId);
    assert.equal((await ended(jobId)).status, 'succeeded');
  });

  it('starts one job for two requests with the same key', async () => {
    const first = await start(['--repo', quick, '--idempotency-key', 'once']);
    const second = await start(['--repo', quick, '--idempotency-key', 'once']);
    assert.equal(second, first);
    await ended(first);
  });

  it('says what there is when a job or a step is asked for that is not', async () => {
    assert.match(await say(2, 'show', 'job-000000000000'), /no job job-000000000000/);
    assert.match(await say(2, 'show', 'nonsense'), /job/);
    const jobId = await start(['--repo', quick]);
    await ended(jobId);
    assert.match(await say(2, 'logs', jobId, '--step', '99'), /99/);
    assert.match(await say(0, 'logs', jobId), /\S/);
  });

  it('keeps the events of a job without gaps, resumable from any of them', async () => {
    const { events, result } = await stack.run(['--repo', quick]);
    const seqs = events.map((event) => (event as { seq?: number }).seq).filter((seq) => seq !== undefined);
    assert.deepEqual(
      seqs,
      seqs.map((_, index) => index + 1),
    );
    const { address } = (await stack.status()).find(({ name }) => name === 'helix')!;
    const url = address!.startsWith('http') ? address! : `http://${address}`;
    const response = await fetch(`${url}/v1/jobs/${result.jobId}/events?after=3`, {
      headers: { accept: 'text/event-stream' },
    });
    const ids = [...(await response.text()).matchAll(/^id: ?(\d+)$/gm)].map((match) => Number(match[1]));
    assert.deepEqual(ids, seqs.slice(3));
  });

  it('never touches the repository but for the branch', async () => {
    const before = await succeed('git', ['status', '--porcelain=v2', '--branch'], { cwd: quick });
    const index = await readFile(join(quick, '.git', 'index'));
    const { result } = await stack.run(['--repo', quick]);
    assert.equal(await succeed('git', ['status', '--porcelain=v2', '--branch'], { cwd: quick }), before);
    assert.deepEqual(await readFile(join(quick, '.git', 'index')), index);
    assert.match(await succeed('git', ['branch', '--list', 'helix/*'], { cwd: quick }), new RegExp(result.branch!));
  });
});

async function commandLines(): Promise<string[]> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
  const lines = await Promise.all(pids.map((pid) => readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')));
  return lines.map((line) => line.replaceAll('\0', ' ').trim());
}
