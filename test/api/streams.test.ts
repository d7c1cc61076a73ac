import assert from 'node:assert/strict';
import { request, type IncomingMessage } from 'node:http';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { appendEvents } from '../../db/events.ts';
import { updateJob } from '../../db/jobs.ts';
import { finishSteps, startSteps, type StepStart } from '../../db/steps.ts';
import { addJob, note, resultOf } from '../db/samples.ts';
import { type TestApi, withApi } from './with-api.ts';

describe('the event stream', () => {
  it('sends what is recorded, then what happens, and ends with the job', () =>
    withApi(async (api) => {
      const id = await addJob(api.database);
      await appendEvents(api.database, id, [note('a')]);
      const stream = await open(api, `/v1/jobs/${id}/events`);
      assert.equal(stream.headers['content-type'], 'text/event-stream; charset=utf-8');
      const text = read(stream);
      const startedAt = performance.now();
      await appendEvents(api.database, id, [note('b')]);
      await finish(api, id);
      assert.deepEqual(idsOf(await text), ['1', '2', '3']);
      assert.ok(performance.now() - startedAt < 3_000, 'notified, and not found by the slow poll');
      assert.match(await text, /event: end\n/);
    }));

  it('goes on after a sequence number, by Last-Event-ID or by ?after=', () =>
    withApi(async (api) => {
      const id = await addJob(api.database);
      await appendEvents(
        api.database,
        id,
        ['a', 'b', 'c'].map((message) => note(message)),
      );
      await finish(api, id);
      assert.deepEqual(idsOf(await read(await open(api, `/v1/jobs/${id}/events?after=2`))), ['3', '4']);
      const resumed = await open(api, `/v1/jobs/${id}/events?after=0`, { 'last-event-id': '3' });
      assert.deepEqual(idsOf(await read(resumed)), ['4']);
      assert.deepEqual(idsOf(await read(await open(api, `/v1/jobs/${id}/events?after=4`))), []);
    }));

  it('goes on past the end when it is told to follow', () =>
    withApi(async (api) => {
      const id = await addJob(api.database);
      await finish(api, id);
      const stream = await open(api, `/v1/jobs/${id}/events?follow`);
      await appendEvents(api.database, id, [note('rolled back')]);
      let text = '';
      for await (const chunk of stream) {
        text += String(chunk);
        if (text.includes('rolled back')) break;
      }
      assert.deepEqual(idsOf(text), ['1', '2']);
    }));

  it('sends heartbeats while nothing happens', () =>
    withApi(async (api) => {
      const id = await addJob(api.database);
      const stream = await open(api, `/v1/jobs/${id}/events`);
      const [chunk] = (await once(stream, 'data')) as [Buffer];
      assert.equal(chunk.toString(), ':\n\n');
      stream.destroy();
    }));

  it('keeps no more than a little for a caller who does not read, and sends it all when he does', () =>
    withApi(async (api) => {
      const id = await addJob(api.database);
      const events = Array.from({ length: 300 }, (_, index) => note('x'.repeat(100_000), String(index)));
      for (let index = 0; index < 300; index += 50)
        await appendEvents(api.database, id, events.slice(index, index + 50));
      const stream = await open(api, `/v1/jobs/${id}/events`);
      await once(stream, 'readable');
      const before = bufferedBytes();
      await sleep(300);
      const grown = bufferedBytes() - before;
      assert.ok(grown < 8_000_000, `${grown} bytes were buffered`);
      await finish(api, id);
      assert.equal(idsOf(await read(stream)).length, 301);
    }));

  it('answers with a problem for a job that is not there', () =>
    withApi(async (api) => {
      const stream = await open(api, '/v1/jobs/job-zzzzzzzzzzzz/events');
      assert.deepEqual(
        [stream.statusCode, stream.headers['content-type']],
        [404, 'application/problem+json; charset=utf-8'],
      );
      stream.resume();
    }));
});

describe("a step's log", () => {
  it('is sent from a byte on, byte for byte', () =>
    withApi(async (api) => {
      const { jobId, executionId } = await runningStep(api);
      const log = Buffer.alloc(200_000, 'ümlaut ');
      api.logs.set(executionId, log);
      const response = await fetch(`${api.url}/v1/jobs/${jobId}/steps/1/log?offset=1001`);
      assert.equal(response.headers.get('content-type'), 'text/plain; charset=utf-8');
      assert.ok(Buffer.from(await response.arrayBuffer()).equals(log.subarray(1001)));
      assert.equal((await fetch(`${api.url}/v1/jobs/${jobId}/steps/2/log`)).status, 404);
    }));

  it('is followed until the step ends, with its last line', () =>
    withApi(async (api) => {
      const step = await runningStep(api);
      const { jobId, executionId } = step;
      api.logs.set(executionId, Buffer.from('one\n'));
      const text = fetch(`${api.url}/v1/jobs/${jobId}/steps/1/log?follow=1`).then((response) => response.text());
      await sleep(50);
      api.logs.set(executionId, Buffer.from('one\ntwo\n'));
      await sleep(300);
      api.logs.set(executionId, Buffer.from('one\ntwo\nthree\n'));
      const outcome = { state: 'succeeded', exitCode: 0, end: 'exited', logBytes: 14, durationMs: 1 } as const;
      await finishSteps(api.database, jobId, [{ ...step, outcome }]);
      assert.equal(await text, 'one\ntwo\nthree\n');
    }));
});

function bufferedBytes(): number {
  const { heapUsed, external, arrayBuffers } = process.memoryUsage();
  return heapUsed + external + arrayBuffers;
}

async function runningStep({ database }: TestApi): Promise<StepStart> {
  const jobId = await addJob(database);
  const executionId = `${jobId}/build`;
  const step: StepStart = {
    jobId,
    executionId,
    taskId: 'build',
    title: 'Build',
    phase: 'building',
    node: 'n',
    attempt: 1,
  };
  await startSteps(database, jobId, [step]);
  return step;
}

async function finish({ database }: TestApi, jobId: string): Promise<void> {
  const result = resultOf(jobId);
  await appendEvents(database, jobId, [
    { key: 'end', at: new Date().toISOString(), data: { type: 'job.finished', result } },
  ]);
  await updateJob(database, jobId, { status: 'succeeded', result });
}

async function open(api: TestApi, path: string, headers: Record<string, string> = {}): Promise<IncomingMessage> {
  const sent = request(api.url + path, { headers: { accept: 'text/event-stream', ...headers } }).end();
  const [response] = (await once(sent, 'response')) as [IncomingMessage];
  return response;
}

async function read(stream: IncomingMessage): Promise<string> {
  let text = '';
  for await (const chunk of stream) text += String(chunk);
  return text;
}

function idsOf(text: string): string[] {
  return [...text.matchAll(/^id: (\d+)$/gm)].map(([, id]) => id!);
}
