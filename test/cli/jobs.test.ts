import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { TestApi } from '../api/with-api.ts';
import { withApi } from '../api/with-api.ts';
import { addJob } from '../db/samples.ts';
import { withTempDir } from '../support/temp-dir.ts';
import { helix, type HelixOutput, helixOnTerminal } from './helix.ts';
import { JobScript } from './job-script.ts';

const run = promisify(execFile);

describe('commands on jobs', () => {
  it('list and show them, for people and for programs', () =>
    withApi(async (api) => {
      assert.match((await call(api, 'jobs')).stdout, /there are no jobs yet/);
      const jobId = await addJob(api.database, { goal: 'tidy up' });
      const script = new JobScript(api, jobId);
      await script.build();
      await script.finish();
      assert.match(
        (await call(api, 'jobs')).stdout,
        new RegExp(`${jobId} +succeeded +- .*/projects/sample +tidy up\n`),
      );
      const listed = JSON.parse((await call(api, 'jobs', '--json')).stdout) as { jobId: string }[];
      assert.deepEqual(
        listed.map((job) => job.jobId),
        [jobId],
      );
      const shown = (await call(api, 'show', jobId)).stdout;
      assert.match(shown, /1 +building +succeeded +node-1 +900ms +Build packages\/core\n/);
      assert.match(shown, /c0 +source +1{12} +Source\n/);
      assert.match(shown, new RegExp(`result +branch helix/${jobId}\n`));
      const json = JSON.parse((await call(api, 'show', jobId, '--json')).stdout) as {
        status: string;
        steps: unknown[];
      };
      assert.deepEqual([json.status, json.steps.length], ['succeeded', 1]);
      const unknown = await call(api, 'show', 'job-zzzzzzzzzzzz');
      assert.deepEqual([unknown.code, unknown.stdout], [2, '']);
      assert.match(unknown.stderr, /^helix: there is no job job-zzzzzzzzzzzz: "helix jobs"/);
    }));

  it('send messages', () =>
    withApi(async (api) => {
      const jobId = await addJob(api.database);
      const commands = [['approve'], ['reject', '--reason', 'too much'], ['pause'], ['resume'], ['cancel']] as const;
      for (const [name, ...options] of commands) assert.equal((await call(api, name, jobId, ...options)).code, 0);
      const rolledBack = await call(api, 'rollback', jobId, 'c0', '--json');
      assert.deepEqual(JSON.parse(rolledBack.stdout), { jobId, action: 'rollback' });
      assert.equal((await call(api, 'rollback', jobId, 'c99')).code, 2);
      assert.deepEqual(
        api.jobs.messages,
        ['approve', 'reject too much', 'pause', 'resume', 'cancel', 'rollback c0'].map(
          (message) => `${jobId} ${message}`,
        ),
      );
    }));

  it('watch an ended job from its first event to its end, with its exit code', () =>
    withApi(async (api) => {
      const jobId = await addJob(api.database);
      const script = new JobScript(api, jobId);
      await script.waitForApproval();
      await script.decide({ type: 'job.rejected', reason: 'too much' });
      await script.finish({ status: 'rejected' });
      const { code, stdout } = await call(api, 'watch', jobId);
      assert.equal(code, 4);
      assert.match(stdout, /the plan was rejected: too much\n/);
    }));

  it('print logs: of one step byte for byte, of all under headings, of a running job line by line', () =>
    withApi(async (api) => {
      const jobId = await addJob(api.database);
      const script = new JobScript(api, jobId);
      await script.build();
      assert.equal((await call(api, 'logs', jobId, '--step', '1')).stdout, 'compiling\ndone\n');
      assert.equal((await call(api, 'logs', jobId, '--step', '2')).code, 2);
      const all = (await call(api, 'logs', jobId)).stdout;
      assert.equal(all, '── step 1: Build packages/core (succeeded, on node-1)\ncompiling\ndone\n');
      const following = call(api, 'logs', jobId, '--follow');
      await script.finish();
      assert.equal((await following).stdout, '[1 build:core] compiling\n[1 build:core] done\n');
    }));

  it('print a patch as it is into a pipe, in colours on a terminal, and apply it to the working tree', () =>
    withApi((api) =>
      withTempDir(async (dir) => {
        await run('git', ['init', '--quiet', dir]);
        await writeFile(join(dir, 'a.txt'), 'one\n');
        const patch = 'diff --git a/a.txt b/a.txt\n--- a/a.txt\n+++ b/a.txt\n@@ -1 +1 @@\n-one\n+t\u00fcwo\n';
        api.blobs.set('3'.repeat(64), Buffer.from(patch));
        const jobId = await addJob(api.database, { source: { location: dir } });
        const early = await call(api, 'diff', jobId);
        assert.equal(early.code, 2);
        assert.match(early.stderr, /is running: its changes come with its end/);
        await new JobScript(api, jobId).finish({ patch: '3'.repeat(64) });
        assert.equal((await call(api, 'diff', jobId)).stdout, patch);
        const coloured = await helixOnTerminal(['--api', api.url, 'diff', jobId]);
        assert.ok(coloured.stdout.includes('\x1b[32m+t\u00fcwo\x1b[39m'));
        assert.match((await call(api, 'apply', jobId)).stdout, /1 file changed/);
        assert.equal(await readFile(join(dir, 'a.txt'), 'utf8'), 't\u00fcwo\n');
        const twice = await call(api, 'apply', jobId);
        assert.equal(twice.code, 1);
        assert.match(twice.stderr, /a\.txt/);
      }),
    ));

  it('say so when a job has changed nothing, and when its source was remote', () =>
    withApi(async (api) => {
      const jobId = await addJob(api.database, { source: { location: 'https://example.com/a.git' } });
      await new JobScript(api, jobId).finish();
      const nothing = await call(api, 'diff', jobId);
      assert.deepEqual([nothing.code, nothing.stdout, nothing.stderr], [0, '', `${jobId} changed nothing\n`]);
      const remote = await call(api, 'apply', jobId);
      assert.equal(remote.code, 2);
      assert.match(remote.stderr, /--repo/);
    }));
});

function call(api: TestApi, ...args: string[]): Promise<HelixOutput> {
  return helix(['--api', api.url, ...args]);
}
