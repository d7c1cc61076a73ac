import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { mkdir } from 'node:fs/promises';
import { userInfo } from 'node:os';
import { join } from 'node:path';
import type { JobRequest } from '../../contracts/job.ts';
import { type TestApi, withApi } from '../api/with-api.ts';
import { withTempDir } from '../support/temp-dir.ts';
import { helix, helixOnTerminal } from './helix.ts';
import { JobScript } from './job-script.ts';

describe('helix run', () => {
  it('sends what was asked, with the repository around the folder it is called in', () =>
    withRepository(async (api, dir) => {
      play(api, (script) => script.finish());
      await mkdir(join(dir, 'src'));
      const options = ['--ref', 'main', '--modes', 'testing, planning', '--env', 'A=b=c', '--env', 'E=', '--no-cache'];
      const more = ['--node-class', 'node>=22', '--step-timeout', '1.5m', '--idempotency-key', 'k'];
      const { code, stderr } = await helix(['--api', api.url, 'run', 'tidy up', ...options, ...more], {
        cwd: join(dir, 'src'),
      });
      assert.equal(code, 0, stderr);
      assert.deepEqual(api.jobs.requests, [
        {
          source: { location: dir, ref: 'main' },
          goal: 'tidy up',
          modes: ['planning', 'testing'],
          recipes: [],
          approve: false,
          user: userInfo().username,
          nodeClass: 'node>=22',
          env: { A: 'b=c', E: '' },
          cache: 'off',
          stepTimeoutMs: 90_000,
          idempotencyKey: 'k',
        } satisfies JobRequest,
      ]);
    }));

  it('leaves addresses of remote repositories as they are', () =>
    withApi(async (api) => {
      play(api, (script) => script.finish());
      for (const address of ['https://example.com/a.git', 'git@example.com:a/b.git', 'file:///projects/a']) {
        assert.equal((await helix(['--api', api.url, 'run', '--repo', address, '--detach'])).code, 0);
      }
      assert.deepEqual(
        api.jobs.requests.map(({ source }) => source.location),
        ['https://example.com/a.git', 'git@example.com:a/b.git', 'file:///projects/a'],
      );
    }));

  it('prints one JSON object per line, the result last', () =>
    withRepository(async (api, dir) => {
      play(api, async (script) => {
        await script.build();
        await script.finish();
      });
      const { code, stdout } = await helix(['--api', api.url, 'run', '--repo', dir, '--json']);
      assert.equal(code, 0);
      const lines = stdout
        .trimEnd()
        .split('\n')
        .map((line) => JSON.parse(line) as Record<string, unknown>);
      assert.deepEqual(
        lines.map(({ type }) => type),
        ['phase.started', 'step.started', 'step.finished', 'phase.finished', 'job.finished', 'result'],
      );
      assert.deepEqual(
        lines.slice(0, 5).map(({ seq }) => seq),
        [1, 2, 3, 4, 5],
      );
      const { jobId, workflowId, status, branch, tests, steps, checkpoints } = lines.at(-1)!;
      assert.deepEqual(
        { jobId, workflowId, status, branch, tests, steps },
        {
          jobId: workflowId,
          workflowId: lines[0]!['jobId'],
          status: 'succeeded',
          branch: `helix/${String(jobId)}`,
          tests: { total: 3, passed: 3, failed: 0, skipped: 0 },
          steps: { run: 4, cached: 1 },
        },
      );
      assert.equal((checkpoints as unknown[]).length, 1);
    }));

  it('prints plain lines where there is no terminal, without escape sequences of anybody', () =>
    withRepository(async (api, dir) => {
      play(api, async (script) => {
        await script.build();
        await script.say({ type: 'note', level: 'error', message: 'not ok 1 \x1b[2J\x1b]0;owned\x07adds' });
        await script.finish({
          status: 'failed',
          branch: null,
          reason: { code: 'testing.failed', message: '1 of 3 tests failed' },
        });
      });
      const { code, stdout } = await helix(['--api', api.url, 'run', '--repo', dir]);
      assert.equal(code, 1);
      assert.match(stdout, /Build packages\/core: started on node-1\n/);
      assert.match(stdout, /Build packages\/core: done in 900ms on node-1\n/);
      assert.match(stdout, /building succeeded in 1\.5s: 1 package built/);
      assert.match(stdout, /not ok 1 adds\n/);
      assert.match(stdout, /job-\w+ failed in 1\.2s\n/);
      assert.match(stdout, /reason +1 of 3 tests failed/);
      assert.match(stdout, /web +http:\/\/127\.0\.0\.1:8233\/job-/);
      assert.ok(!stdout.includes('\x1b'));
    }));

  it('ends with 4 when cancelled or rejected, with 2 when the request itself was at fault', () =>
    withRepository(async (api, dir) => {
      const endings = [
        [{ status: 'cancelled' }, 4],
        [{ status: 'rejected' }, 4],
        [{ status: 'failed', reason: { code: 'source.ref-not-found', message: 'there is no branch x' } }, 2],
        [{ status: 'failed', reason: { code: 'node.lost', message: 'gone' } }, 1],
        [{ status: 'failed', reason: { code: 'stack.unreachable', message: 'gone' } }, 1],
      ] as const;
      for (const [ending, expected] of endings) {
        play(api, (script) => script.finish(ending));
        assert.equal((await helix(['--api', api.url, 'run', '--repo', dir])).code, expected, JSON.stringify(ending));
      }
    }));

  it('ends with 5 when the plan waits for an approval and nobody is there to ask; the job goes on waiting', () =>
    withRepository(async (api, dir) => {
      play(api, (script) => script.waitForApproval());
      const { code, stderr, stdout } = await helix(['--api', api.url, 'run', '--repo', dir, '--approve', '--json']);
      assert.equal(code, 5);
      const last = JSON.parse(stdout.trim().split('\n').at(-1)!) as { type: string; jobId: string };
      assert.equal(last.type, 'job.waiting-for-approval');
      assert.match(stderr, new RegExp(`helix approve ${last.jobId}`));
      assert.deepEqual(api.jobs.messages, []);
    }));

  it('prints the id and leaves the job running with --detach', () =>
    withRepository(async (api, dir) => {
      const { code, stdout } = await helix(['--api', api.url, 'run', '--repo', dir, '--detach']);
      assert.equal(code, 0);
      assert.match(stdout, /^job-[a-z0-9]{12}\n$/);
    }));

  it('is detached from by Ctrl-C, and says how to come back', () =>
    withRepository(async (api, dir) => {
      play(api, (script) => script.build());
      const { code, stderr } = await helix(['--api', api.url, 'run', '--repo', dir], {
        onOutput: (stdout, child) => void (stdout.includes('building succeeded') && child.kill('SIGINT')),
      });
      assert.equal(code, 130);
      assert.match(stderr, /helix watch job-\w+.*helix cancel job-/);
      assert.deepEqual(api.jobs.messages, []);
    }));

  it('lives through the death of the API without losing a line', () =>
    withRepository(async (api, dir) => {
      play(api, async (script) => {
        await script.build();
        await sleep(700);
        await api.kill();
        await script.say({ type: 'note', level: 'info', message: 'said while nobody listened' });
        await sleep(300);
        await api.restart();
        await script.finish();
      });
      const { code, stdout, stderr } = await helix(['--api', api.url, 'run', '--repo', dir, '--json']);
      assert.equal(code, 0, stderr);
      assert.match(stderr, /trying again/);
      const lines = stdout
        .trimEnd()
        .split('\n')
        .map((line) => JSON.parse(line) as { seq?: number });
      assert.deepEqual(
        lines.slice(0, -1).map(({ seq }) => seq),
        [1, 2, 3, 4, 5, 6],
      );
    }));

  it('shows the plan on a terminal, asks, and goes on with a live view', () =>
    withRepository(async (api, dir) => {
      play(api, (script) => script.waitForApproval());
      api.jobs.onMessage = async (jobId) => {
        const script = new JobScript(api, jobId, 5);
        await script.decide({ type: 'job.approved' });
      };
      let answered = false;
      let finished = false;
      const { code, stdout } = await helixOnTerminal(['--api', api.url, 'run', '--repo', dir, '--approve'], {
        onOutput: (text, child) => {
          if (!answered && text.includes('[y]es')) {
            answered = true;
            child.stdin!.write('y\n');
          }
          if (!finished && text.includes('the plan was approved')) {
            finished = true;
            void finishLater(api);
          }
        },
      });
      assert.equal(code, 0, stdout);
      assert.match(stdout, /# The plan\r?\n\r?\nBuild it\./);
      assert.deepEqual(
        api.jobs.messages.map((message) => message.split(' ')[1]),
        ['approve'],
      );
      assert.match(stdout, /Build packages\/core .*on node-1 for/);
      assert.match(stdout, /succeeded.* in 1\.2s/);
    }));
});

async function finishLater(api: TestApi): Promise<void> {
  const jobId = api.jobs.messages[0]!.split(' ')[0]!;
  const script = new JobScript(api, jobId, 10);
  const step = { executionId: 'e', taskId: 'build:core', title: 'Build packages/core', phase: 'building' as const };
  await script.say({ type: 'step.started', ...step, node: 'node-1', attempt: 1 });
  await sleep(400);
  await script.finish();
}

/** Plays a job's part, in the background, for each job that is started. */
function play(api: TestApi, act: (script: JobScript) => Promise<void>): void {
  api.jobs.onStart = async (jobId) => {
    void act(new JobScript(api, jobId));
  };
}

function withRepository(use: (api: TestApi, dir: string) => Promise<void>): Promise<void> {
  return withApi((api) =>
    withTempDir(async (dir) => {
      await mkdir(join(dir, '.git'));
      await use(api, dir);
    }),
  );
}
