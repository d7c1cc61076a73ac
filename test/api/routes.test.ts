import assert from 'node:assert/strict';
import { jobPageSchema, problemSchema, startedJobSchema } from '../../contracts/api.ts';
import { jobViewSchema } from '../../contracts/job.ts';
import { nodeRecordSchema } from '../../contracts/node.ts';
import { openDatabase } from '../../db/database.ts';
import { appendEvents } from '../../db/events.ts';
import { updateJob } from '../../db/jobs.ts';
import { insertSamples } from '../../db/node-metrics.ts';
import { addJob, note, resultOf } from '../db/samples.ts';
import { type TestApi, withApi } from './with-api.ts';

describe('the REST API', () => {
  it('starts a job, once per idempotency key', () =>
    withApi(async (api) => {
      const body = { source: { location: '/projects/a' }, goal: 'tidy up', idempotencyKey: 'k' };
      const first = await call(api, 'POST', '/v1/jobs', body);
      assert.equal(first.status, 201);
      const started = startedJobSchema.parse(first.body);
      assert.equal(first.headers.get('location'), `/v1/jobs/${started.jobId}`);
      const second = await call(api, 'POST', '/v1/jobs', body);
      assert.deepEqual([second.status, startedJobSchema.parse(second.body)], [200, { ...started, created: false }]);
      assert.deepEqual(
        api.jobs.requests.map(({ goal, modes }) => [goal, modes.length]),
        [['tidy up', 4]],
      );
      const view = await call(api, 'GET', `/v1/jobs/${started.jobId}`);
      assert.equal(jobViewSchema.parse(view.body).request.goal, 'tidy up');
    }));

  it('names every field at fault, what it got and what is allowed, but no value of a variable', () =>
    withApi(async (api) => {
      const body = { source: {}, modes: ['planing'], env: { 'A B': 'hunter2', OK: 7 }, recipes: [{ name: 'no' }] };
      const answer = await call(api, 'POST', '/v1/jobs', body);
      const problem = expectProblem(answer, 400, 'usage.invalid');
      assert.deepEqual(problem.errors?.map(({ field }) => field).sort(), [
        'env.A B',
        'env.OK',
        'modes.0',
        'recipes.0.name',
        'source.location',
      ]);
      assert.match(problem.detail, /modes\.0: .*"planning"\|"building".*\(got "planing"\)/);
      assert.doesNotMatch(JSON.stringify(problem), /hunter2/);
      assert.equal(api.jobs.requests.length, 0);
    }));

  it('hands messages to a job, with what belongs to them', () =>
    withApi(async (api) => {
      const id = await addJob(api.database);
      for (const action of ['approve', 'pause', 'resume', 'cancel']) {
        assert.equal((await call(api, 'POST', `/v1/jobs/${id}/${action}`)).status, 204);
      }
      assert.equal((await call(api, 'POST', `/v1/jobs/${id}/reject`, { reason: 'too much' })).status, 204);
      assert.equal((await call(api, 'POST', `/v1/jobs/${id}/rollback`, { checkpointId: 'c0' })).status, 204);
      assert.deepEqual(
        api.jobs.messages,
        ['approve', 'pause', 'resume', 'cancel', 'reject too much', 'rollback c0'].map((message) => `${id} ${message}`),
      );
      expectProblem(
        await call(api, 'POST', `/v1/jobs/${id}/rollback`, { checkpointId: 'first' }),
        400,
        'usage.invalid',
      );
      expectProblem(
        await call(api, 'POST', `/v1/jobs/${id}/rollback`, { checkpointId: 'c99' }),
        404,
        'checkpoint.not-found',
      );
      expectProblem(await call(api, 'POST', `/v1/jobs/${id}/cancel`, { force: true }), 400, 'usage.invalid');
      expectProblem(await call(api, 'POST', '/v1/jobs/job-zzzzzzzzzzzz/cancel'), 404, 'job.not-found');
    }));

  it('lists jobs in pages', () =>
    withApi(async (api) => {
      const ids = [await addJob(api.database), await addJob(api.database), await addJob(api.database)].reverse();
      const first = jobPageSchema.parse((await call(api, 'GET', '/v1/jobs?limit=2')).body);
      const second = jobPageSchema.parse((await call(api, 'GET', `/v1/jobs?limit=2&cursor=${first.next}`)).body);
      assert.deepEqual(
        [...first.jobs, ...second.jobs].map(({ jobId }) => jobId),
        ids,
      );
      assert.equal(second.next, null);
      expectProblem(await call(api, 'GET', '/v1/jobs?limit=0'), 400, 'usage.invalid');
      expectProblem(await call(api, 'GET', '/v1/usage?by=call'), 400, 'usage.invalid');
    }));

  it('offers the documents of phases while the job runs, and the patch when it has ended', () =>
    withApi(async (api) => {
      const id = await addJob(api.database);
      api.blobs.set('1'.repeat(64), Buffer.from('# old plan'));
      api.blobs.set('2'.repeat(64), Buffer.from('# plan'));
      api.blobs.set('3'.repeat(64), Buffer.from('diff --git a/x b/x\n'));
      for (const digit of ['1', '2']) {
        const result = {
          status: 'succeeded' as const,
          summary: '',
          steps: { run: 0, cached: 0 },
          durationMs: 1,
          artifacts: { 'plan.md': digit.repeat(64) },
        };
        await appendEvents(api.database, id, [
          { key: digit, at: new Date().toISOString(), data: { type: 'phase.finished', phase: 'planning', result } },
        ]);
      }
      const plan = await fetch(`${api.url}/v1/jobs/${id}/artifacts/plan.md`);
      assert.deepEqual(
        [await plan.text(), plan.headers.get('content-type')],
        ['# plan', 'text/markdown; charset=utf-8'],
      );
      expectProblem(await call(api, 'GET', `/v1/jobs/${id}/artifacts/junit.xml`), 404, 'artifact.not-found');
      expectProblem(await call(api, 'GET', `/v1/jobs/${id}/artifacts/result.patch`), 409, 'job.wrong-state');
      expectProblem(await call(api, 'GET', `/v1/jobs/${id}/artifacts/..%2F..%2Fpasswd`), 400, 'usage.invalid');
      await updateJob(api.database, id, { status: 'succeeded', result: resultOf(id, { patch: '3'.repeat(64) }) });
      assert.equal(
        await (await fetch(`${api.url}/v1/jobs/${id}/artifacts/result.patch`)).text(),
        'diff --git a/x b/x\n',
      );
    }));

  it('reads events in pages', () =>
    withApi(async (api) => {
      const id = await addJob(api.database);
      await appendEvents(
        api.database,
        id,
        ['a', 'b', 'c'].map((message) => note(message)),
      );
      const page = (await call(api, 'GET', `/v1/jobs/${id}/events?after=1&limit=1`)).body as {
        events: { seq: number }[];
      };
      assert.deepEqual(
        page.events.map(({ seq }) => seq),
        [2],
      );
    }));

  it('adds, shows, probes and removes nodes', () =>
    withApi(async (api) => {
      const body = {
        name: 'n1',
        ssh: { host: '192.0.2.7', user: 'me' },
        hostKey: { kind: 'accept-new' },
        labels: { rack: 'b' },
      };
      const added = await call(api, 'POST', '/v1/nodes', body);
      assert.equal(added.status, 201);
      assert.equal(nodeRecordSchema.parse(added.body).ssh?.port, 22);
      expectProblem(await call(api, 'POST', '/v1/nodes', body), 409, 'node.name-taken');
      assert.deepEqual((await call(api, 'GET', '/v1/nodes')).body, { nodes: [added.body] });
      assert.deepEqual((await call(api, 'POST', '/v1/nodes/n1/probe')).body, added.body);
      const removal = await call(api, 'DELETE', '/v1/nodes/n1');
      assert.deepEqual([removal.status, removal.body], [200, { left: [] }]);
      expectProblem(await call(api, 'GET', '/v1/nodes/n1'), 404, 'node.not-found');
      expectProblem(await call(api, 'DELETE', '/v1/nodes/n1'), 404, 'node.not-found');
    }));

  it('holds nodes back, and shows what became of them', () =>
    withApi(async (api) => {
      const body = { name: 'n1', ssh: { host: '192.0.2.7', user: 'me' }, hostKey: { kind: 'accept-new' } };
      await call(api, 'POST', '/v1/nodes', body);
      const stateAfter = async (path: string, said: object = {}): Promise<unknown> => {
        assert.equal((await call(api, 'POST', `/v1/nodes/n1/${path}`, said)).status, 202);
        const { state, reason } = nodeRecordSchema.parse((await call(api, 'GET', '/v1/nodes/n1')).body);
        return [state, reason];
      };
      assert.deepEqual(await stateAfter('cordon', { reason: 'new kernel' }), ['cordoned', 'new kernel']);
      assert.deepEqual(await stateAfter('uncordon'), ['healthy', undefined]);
      assert.deepEqual(await stateAfter('drain', { limitMs: 0 }), ['draining', 'by a user']);
      const { events } = (await call(api, 'GET', '/v1/nodes/n1/events?limit=2')).body as {
        events: { state: string }[];
      };
      assert.deepEqual(events.map(({ state }) => state), ['draining', 'healthy']); // prettier-ignore
      const sample = { node: 'n1', at: new Date().toISOString(), cpu: 0.5, load: 1, memoryFree: 1, diskFree: 1 };
      await insertSamples(api.database, [{ ...sample, latencyMs: 2, clockOffsetMs: 0, busy: 3 }]);
      const { metrics } = (await call(api, 'GET', '/v1/nodes/n1/metrics?period=0')).body as {
        metrics: { busy: number }[];
      };
      assert.equal(metrics[0]!.busy, 3);
      expectProblem(await call(api, 'GET', '/v1/nodes/n1/metrics?period=7'), 400, 'usage.invalid');
      expectProblem(await call(api, 'POST', '/v1/nodes/n1/drain', { limitMs: -1 }), 400, 'usage.invalid');
      expectProblem(await call(api, 'POST', '/v1/nodes/n2/cordon'), 404, 'node.not-found');
      expectProblem(await call(api, 'GET', '/v1/nodes/n2/events'), 404, 'node.not-found');
    }));

  it('answers with problem details to what it does not know', () =>
    withApi(async (api) => {
      expectProblem(await call(api, 'GET', '/v1/nothing'), 404, 'usage.invalid');
      expectProblem(await call(api, 'GET', '/'), 404, 'usage.invalid');
      expectProblem(await call(api, 'GET', '/v1/jobs/%E0%A4%A'), 400, 'usage.invalid');
      expectProblem(await call(api, 'GET', '/v1/jobs/nonsense'), 400, 'usage.invalid');
      const wrongMethod = await call(api, 'PATCH', '/v1/jobs');
      expectProblem(wrongMethod, 405, 'usage.invalid');
      assert.equal(wrongMethod.headers.get('allow'), 'GET, POST');
    }));

  it('refuses bodies that are no JSON, not said to be JSON, or too large', () =>
    withApi(async (api) => {
      const post = async (body: string, type: string) =>
        answerOf(await fetch(`${api.url}/v1/jobs`, { method: 'POST', body, headers: { 'content-type': type } }));
      expectProblem(await post('{"source":', 'application/json'), 400, 'usage.invalid');
      expectProblem(await post('{}', 'text/plain'), 415, 'usage.invalid');
      expectProblem(
        await post(JSON.stringify({ goal: 'x'.repeat(2_000_000) }), 'application/json'),
        413,
        'usage.invalid',
      );
    }));

  it('tells that the database is away, and is healthy enough itself not to be restarted for that', () =>
    withApi(
      async (api) => {
        expectProblem(await call(api, 'GET', '/v1/jobs'), 503, 'stack.unreachable');
        const health = await call(api, 'GET', '/v1/health');
        assert.deepEqual([health.status, health.body], [200, { status: 'degraded', database: 'unreachable' }]);
      },
      (deps) => ({ ...deps, database: openDatabase('postgres://nobody@127.0.0.1:1/none') }),
    ));

  it('hides the reason of an unexpected failure from the caller', () =>
    withApi(
      async (api) => {
        const id = await addJob(api.database);
        const problem = expectProblem(await call(api, 'POST', `/v1/jobs/${id}/pause`), 500, 'internal');
        assert.doesNotMatch(JSON.stringify(problem), /hunter2/);
      },
      (deps) => {
        (deps.jobs as { onMessage?: unknown }).onMessage = async () => {
          throw new Error('password hunter2 is wrong');
        };
        return deps;
      },
    ));
});

interface Answer {
  status: number;
  headers: Headers;
  body: unknown;
}

async function call(api: TestApi, method: string, path: string, body?: unknown): Promise<Answer> {
  return answerOf(
    await fetch(api.url + path, {
      method,
      ...(body === undefined ? {} : { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } }),
    }),
  );
}

async function answerOf(response: Response): Promise<Answer> {
  const text = await response.text();
  return { status: response.status, headers: response.headers, body: text === '' ? undefined : JSON.parse(text) };
}

function expectProblem(answer: Answer, status: number, code: string) {
  assert.equal(answer.headers.get('content-type')?.split(';')[0], 'application/problem+json');
  const problem = problemSchema.parse(answer.body);
  assert.deepEqual([answer.status, problem.status, problem.code], [status, status, code]);
  return problem;
}
