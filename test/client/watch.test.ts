import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { createClient } from '../../client/client.ts';
import { HelixError } from '../../contracts/error.ts';
import { appendEvents } from '../../db/events.ts';
import { updateJob } from '../../db/jobs.ts';
import { finishSteps, startSteps, type StepStart } from '../../db/steps.ts';
import { addJob, note, resultOf } from '../db/samples.ts';
import { withApi } from '../api/with-api.ts';

describe('watching a job', () => {
  it('loses and doubles no event when the server dies and comes back, again and again', () =>
    withApi(async (api) => {
      const jobId = await addJob(api.database);
      const total = 200;
      const writing = (async () => {
        for (let index = 1; index < total; index++) {
          await appendEvents(api.database, jobId, [note(String(index))]);
          await sleep(5);
        }
        const result = resultOf(jobId);
        await appendEvents(api.database, jobId, [
          { key: 'end', at: new Date().toISOString(), data: { type: 'job.finished', result } },
        ]);
        await updateJob(api.database, jobId, { status: 'succeeded', result });
      })();
      const breaking = (async () => {
        for (let round = 0; round < 4; round++) {
          await sleep(200);
          await api.kill();
          await sleep(120);
          await api.restart();
        }
      })();
      const seen: number[] = [];
      let retries = 0;
      for await (const event of createClient(api.url).watchJob(jobId, { onRetry: () => retries++ }))
        seen.push(event.seq);
      await Promise.all([writing, breaking]);
      assert.deepEqual(
        seen,
        Array.from({ length: total }, (_, index) => index + 1),
      );
      assert.ok(retries >= 4);
    }));

  it('gives up when the server stays away for longer than it may', () =>
    withApi(async (api) => {
      const jobId = await addJob(api.database);
      await appendEvents(api.database, jobId, [note('a')]);
      const events = createClient(api.url).watchJob(jobId, { retryForMs: 300 });
      assert.equal((await events.next()).value?.seq, 1);
      await api.kill();
      await assert.rejects(events.next(), hasCode('stack.unreachable'));
    }));

  it('ends at once when it is told to, and keeps no connection', () =>
    withApi(async (api) => {
      const jobId = await addJob(api.database);
      const stop = new AbortController();
      const watching = createClient(api.url).watchJob(jobId, { signal: stop.signal }).next();
      await sleep(100);
      stop.abort(new Error('enough'));
      await assert.rejects(watching, /enough/);
    }));

  it('says that there is no such job rather than to wait for it', () =>
    withApi(async (api) => {
      await assert.rejects(createClient(api.url).watchJob('job-zzzzzzzzzzzz').next(), hasCode('job.not-found'));
    }));
});

describe('following a log', () => {
  it('goes on at the byte where the server died', () =>
    withApi(async (api) => {
      const jobId = await addJob(api.database);
      const step: StepStart = {
        jobId,
        executionId: 'e',
        taskId: 't',
        title: 't',
        phase: 'testing',
        node: 'n',
        attempt: 1,
      };
      await startSteps(api.database, jobId, [step]);
      const lines = Array.from({ length: 60 }, (_, index) => `line ${index}\n`);
      const writing = (async () => {
        for (let count = 1; count <= lines.length; count++) {
          api.logs.set('e', Buffer.from(lines.slice(0, count).join('')));
          await sleep(20);
        }
        await finishSteps(api.database, jobId, [
          { ...step, outcome: { state: 'succeeded', exitCode: 0, end: 'exited' } },
        ]);
      })();
      const breaking = sleep(400)
        .then(() => api.kill())
        .then(() => sleep(200))
        .then(() => api.restart());
      let text = '';
      for await (const chunk of createClient(api.url).stepLog(jobId, 1, { follow: true }))
        text += Buffer.from(chunk).toString();
      await Promise.all([writing, breaking]);
      assert.equal(text, lines.join(''));
    }));
});

describe('the client', () => {
  it('throws what the server said, as the same error', () =>
    withApi(async (api) => {
      const client = createClient(api.url);
      await assert.rejects(
        client.getJob('job-zzzzzzzzzzzz'),
        (error) => hasCode('job.not-found')(error) && /helix jobs/.test(String(error)),
      );
      await assert.rejects(client.startJob({ modes: ['x'] } as never), (error) => {
        assert.ok(error instanceof HelixError && error.code === 'usage.invalid');
        return (error.details['errors'] as { field: string }[]).some(({ field }) => field === 'modes.0');
      });
    }));

  it('says what to do when nothing answers', async () => {
    await assert.rejects(
      createClient('http://127.0.0.1:1').listJobs(),
      (error) => hasCode('stack.unreachable')(error) && /127\.0\.0\.1:1 .*helix up/.test(String(error)),
    );
  });
});

function hasCode(code: string): (error: unknown) => boolean {
  return (error) => error instanceof HelixError && error.code === code;
}
