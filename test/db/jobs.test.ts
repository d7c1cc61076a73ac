import assert from 'node:assert/strict';
import { jobRequestSchema, jobViewSchema } from '../../contracts/job.ts';
import { appendEvents } from '../../db/events.ts';
import { getJob, insertJob, listJobs, updateJob } from '../../db/jobs.ts';
import { addJob, resultOf } from './samples.ts';
import { withSchema } from './with-schema.ts';

describe('the records of jobs', () => {
  it('hold a job once, however often it is inserted', () =>
    withSchema(async (database) => {
      const job = {
        jobId: 'job-aaaaaaaaaaaa',
        workflowId: 'job-aaaaaaaaaaaa',
        project: 'sample',
        request: jobRequestSchema.parse({ source: { location: '/a' } }),
      };
      assert.deepEqual((await Promise.all([insertJob(database, job), insertJob(database, job)])).filter(Boolean), [
        true,
      ]);
      const view = await getJob(database, job.jobId);
      assert.deepEqual(jobViewSchema.parse(view), view);
      assert.equal(view?.status, 'running');
    }));

  it('hold no secrets: neither values of variables nor credentials in addresses', () =>
    withSchema(async (database) => {
      const locations = [
        'https://user:hunter2@example.com/a.git',
        'https://hunter2@example.com/a.git',
        'ssh://git:hunter2@example.com/a.git',
      ];
      for (const location of locations) await addJob(database, { source: { location }, env: { TOKEN: 'hunter2' } });
      const last = await addJob(database, { source: { location: 'ssh://git@example.com/a.git' } });
      const at = new Date().toISOString();
      const started = (location: string) => ({
        key: location,
        at,
        data: { type: 'job.started' as const, goal: '', location },
      });
      await appendEvents(database, last, locations.map(started));
      const { rows } = await database.query<{ text: string }>(
        'select jobs::text as text from jobs union all select data::text from job_events',
      );
      assert.equal(rows.length, 7);
      for (const { text } of rows) assert.doesNotMatch(text, /hunter2/);
      const { jobs } = await listJobs(database, { limit: 4 });
      assert.equal(jobs[0]?.request.source.location, 'ssh://git@example.com/a.git');
      assert.deepEqual(Object.keys(jobs[1]!.request.env), ['TOKEN']);
    }));

  it('never leave a final status again, while the result of an ended job can still be replaced', () =>
    withSchema(async (database) => {
      const jobId = await addJob(database);
      await updateJob(database, jobId, { status: 'paused', phase: 'building' });
      assert.equal((await getJob(database, jobId))?.phase, 'building');
      await updateJob(database, jobId, { status: 'succeeded', phase: null, result: resultOf(jobId) });
      await updateJob(database, jobId, { status: 'running', phase: 'testing' });
      await updateJob(database, jobId, { status: 'failed' });
      await updateJob(database, jobId, { result: resultOf(jobId, { branch: null }) });
      const view = await getJob(database, jobId);
      assert.deepEqual([view?.status, view?.phase, view?.result?.branch], ['succeeded', null, null]);
      assert.equal(await updateJob(database, 'job-zzzzzzzzzzzz', { status: 'failed' }), false);
    }));

  it('are listed newest first, page by page, without a job twice or not at all', () =>
    withSchema(async (database) => {
      const ids: string[] = [];
      for (let index = 0; index < 5; index++) ids.unshift(await addJob(database));
      const first = await listJobs(database, { limit: 2 });
      await addJob(database);
      const second = await listJobs(database, { limit: 2, cursor: first.next! });
      const third = await listJobs(database, { limit: 2, cursor: second.next! });
      assert.deepEqual(
        [...first.jobs, ...second.jobs, ...third.jobs].map(({ jobId }) => jobId),
        ids,
      );
      assert.equal(third.next, null);
    }));
});
