import assert from 'node:assert/strict';
import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { type ClientOptions, WebSocket } from 'ws';
import { createClient } from '../../client/client.ts';
import { HelixError } from '../../contracts/error.ts';
import type { SocketMessage } from '../../contracts/socket.ts';
import { appendEvents } from '../../db/events.ts';
import { updateJob } from '../../db/jobs.ts';
import { recordAnswered, recordSent } from '../../db/model-calls.ts';
import { finishSteps, startSteps, type StepStart } from '../../db/steps.ts';
import { addJob, note, resultOf } from '../db/samples.ts';
import { type TestApi, withApi } from './with-api.ts';

describe('the WebSockets of the API', () => {
  it('send what is recorded from a sequence number on, then what happens, and close with the end of the job', () =>
    withApi(async (api) => {
      const id = await addJob(api.database);
      await appendEvents(api.database, id, [note('a'), note('b')]);
      const socket = open(api, `/v1/jobs/${id}/events?after=1`);
      const heard = read(socket);
      await once(socket, 'open');
      await appendEvents(api.database, id, [note('c')]);
      await finish(api, id);
      const { messages, code } = await heard;
      assert.deepEqual(
        messages.map((message) => (message.type === 'event' ? message.event.seq : message.type)),
        [2, 3, 4, 'end'],
      );
      assert.equal(code, 1000);
    }));

  it('send the pieces of an answer, each with the place to go on from, and the output of a step byte for byte', () =>
    withApi(async (api) => {
      const id = await addJob(api.database);
      await recordSent(api.database, { callId: 'call', jobId: id, turn: 't', model: 'm' }, { usd: 0, tokens: 0 });
      const lines = [`{"type":"text","text":"größe"}\n`, `{"type":"restarted","attempt":2}\n`];
      api.logs.set('call', Buffer.from(lines[0]!));
      const answer = read(open(api, `/v1/jobs/${id}/answers/call?follow=1`));
      await sleep(100);
      // A line is written in two halves.
      const whole = Buffer.from(lines.join(''));
      api.logs.set('call', whole.subarray(0, -9));
      await sleep(300);
      api.logs.set('call', whole);
      await sleep(300);
      const spent = { calls: 1, inputTokens: 1, outputTokens: 1, cacheReadTokens: 0, usd: 0 };
      const result = { kind: 'answer', head: 'h', stopReason: 'end', text: '', spent } as const;
      await recordAnswered(api.database, 'call', result, null);
      const { messages } = await answer;
      const offsets = [Buffer.byteLength(lines[0]!), whole.length];
      assert.deepEqual(messages, [
        { type: 'piece', offset: offsets[0], piece: { type: 'text', text: 'größe' } },
        { type: 'piece', offset: offsets[1], piece: { type: 'restarted', attempt: 2 } },
        { type: 'end' },
      ]);
      const resumed = await read(open(api, `/v1/jobs/${id}/answers/call?offset=${offsets[0]}`));
      assert.deepEqual(resumed.messages, messages.slice(1));

      const step: StepStart = {
        jobId: id,
        executionId: 'e',
        taskId: 't',
        title: 't',
        phase: 'testing',
        node: 'n',
        attempt: 1,
      };
      await startSteps(api.database, id, [step]);
      const output = Buffer.alloc(200_000, 'ümlaut ');
      api.logs.set('e', output);
      await finishSteps(api.database, id, [{ ...step, outcome: { state: 'succeeded', exitCode: 0, end: 'exited' } }]);
      const log = await read(open(api, `/v1/jobs/${id}/steps/1/log?offset=1001&follow=1`));
      assert.ok(log.bytes.equals(output.subarray(1001)));
      assert.equal(log.code, 1000);
    }));

  it('refuse other origins and names that merely resolve to loopback, as HTTP does', () =>
    withApi(async (api) => {
      const id = await addJob(api.database);
      const { host, port } = new URL(api.url);
      const allowed: ClientOptions[] = [{}, { origin: api.url }, { headers: { host: `localhost:${port}` } }];
      for (const options of allowed) {
        const socket = open(api, `/v1/jobs/${id}/events`, options);
        await once(socket, 'open');
        socket.terminate();
      }
      const foreign: ClientOptions[] = [
        { origin: 'https://evil.example' },
        { origin: 'null' },
        { origin: `https://${host}` },
        { origin: `http://localhost:${Number(port) + 1}` },
        { headers: { host: `evil.example:${port}` } },
        { headers: { host: `127.0.0.1.nip.io:${port}`, origin: `http://127.0.0.1.nip.io:${port}` } },
        { headers: { 'sec-fetch-site': 'cross-site' } },
      ];
      for (const options of foreign) {
        const response = await refusal(open(api, `/v1/jobs/${id}/events`, options));
        assert.equal(response.statusCode, 403, JSON.stringify(options));
        assert.equal(response.headers['content-type'], 'application/problem+json; charset=utf-8');
      }
      assert.equal((await refusal(open(api, '/v1/other'))).statusCode, 404);
    }));

  it('say what is wrong with a request, and close with its status', () =>
    withApi(async (api) => {
      const id = await addJob(api.database);
      const cases: [string, number, string][] = [
        ['/v1/jobs/job-zzzzzzzzzzzz/events', 4404, 'job.not-found'],
        ['/v1/jobs/x/events', 4400, 'usage.invalid'],
        [`/v1/jobs/${id}/events?after=-1`, 4400, 'usage.invalid'],
        [`/v1/jobs/${id}/steps/1/log`, 4404, 'step.not-found'],
        [`/v1/jobs/${id}/answers/%E0%A4%A`, 4400, 'usage.invalid'],
      ];
      for (const [path, expected, error] of cases) {
        const { messages, code } = await read(open(api, path));
        assert.equal(code, expected, path);
        assert.deepEqual(
          messages.map((message) => message.type === 'error' && message.code),
          [error],
        );
      }
    }));

  it('take messages for the agent one after the other, and say what became of each', () =>
    withApi(async (api) => {
      const id = await addJob(api.database);
      api.jobs.onMessage = async (_, message) => {
        await sleep(20);
        if (message.includes('"stop"')) throw new HelixError('job.wrong-state', 'no agent works');
      };
      const socket = open(api, `/v1/jobs/${id}/events`);
      await once(socket, 'open');
      const heard = read(socket);
      const say = (value: unknown) => socket.send(typeof value === 'string' ? value : JSON.stringify(value));
      say({ id: '1', message: { type: 'steer', text: 'faster' } });
      say({ id: '2', message: { type: 'decide', callId: 'c', allowed: true } });
      say({ id: '3', message: { type: 'stop' } });
      say({ id: '4', message: { type: 'answer' } });
      say('{');
      for (let index = 0; index < 200; index += 1) say({ id: `m${index}`, message: { type: 'steer', text: 'more' } });
      await sleep(200);
      await finish(api, id);
      const { messages } = await heard;
      const answers = messages.flatMap((message) =>
        message.type === 'taken' || message.type === 'refused' ? [message] : [],
      );
      assert.deepEqual(
        answers.slice(0, 5).map((answer) => [answer.id, answer.type === 'refused' ? answer.code : 'taken']),
        [
          ['1', 'taken'],
          ['2', 'taken'],
          ['3', 'job.wrong-state'],
          ['4', 'usage.invalid'],
          [null, 'usage.invalid'],
        ],
      );
      assert.deepEqual(
        api.jobs.messages
          .slice(0, 3)
          .map((message) => (JSON.parse(message.split(' agent ')[1]!) as { type: string }).type),
        ['steer', 'decide', 'stop'],
      );
    }));

  it('close for a message that is too large or binary', () =>
    withApi(async (api) => {
      const id = await addJob(api.database);
      for (const [message, expected] of [
        ['x'.repeat(1024 * 1024 + 1), 1009],
        [Buffer.from('{}'), 1003],
      ] as const) {
        const socket = open(api, `/v1/jobs/${id}/events`);
        await once(socket, 'open');
        socket.send(message);
        assert.equal((await read(socket)).code, expected);
      }
    }));

  it('keep no more than a little for a caller who does not read, and send it all when he does', () =>
    withApi(async (api) => {
      const id = await addJob(api.database);
      const events = Array.from({ length: 300 }, (_, index) => note('x'.repeat(100_000), String(index)));
      for (let index = 0; index < 300; index += 50)
        await appendEvents(api.database, id, events.slice(index, index + 50));
      const socket = open(api, `/v1/jobs/${id}/events`);
      const heard = read(socket);
      await once(socket, 'message');
      socket.pause();
      await sleep(100);
      const before = bufferedBytes();
      await sleep(300);
      const grown = bufferedBytes() - before;
      assert.ok(grown < 8_000_000, `${grown} bytes were buffered`);
      socket.resume();
      await finish(api, id);
      assert.equal((await heard).messages.length, 302);
    }));

  it('are cut when nothing is heard of the other end', () =>
    withApi(async (api) => {
      const id = await addJob(api.database);
      const alive = open(api, `/v1/jobs/${id}/events`);
      const gone = open(api, `/v1/jobs/${id}/events`, { autoPong: false });
      const ended = once(gone, 'close');
      const startedAt = performance.now();
      await ended;
      assert.ok(performance.now() - startedAt >= 600, 'three heartbeats');
      assert.equal(alive.readyState, WebSocket.OPEN);
      alive.terminate();
    }));

  it('say that the server goes', () =>
    withApi(async (api) => {
      const id = await addJob(api.database);
      const socket = open(api, `/v1/jobs/${id}/events`);
      await once(socket, 'open');
      const heard = read(socket);
      await api.stop();
      assert.equal((await heard).code, 1001);
    }));
});

describe('a job over a WebSocket', () => {
  it('loses and doubles no event when the server dies and comes back, again and again', () =>
    withApi(async (api) => {
      const jobId = await addJob(api.database);
      const total = 200;
      const writing = (async () => {
        for (let index = 1; index < total; index++) {
          await appendEvents(api.database, jobId, [note(String(index))]);
          await sleep(5);
        }
        await finish(api, jobId);
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
      for await (const { seq } of createClient(api.url)
        .openJob(jobId, { onRetry: () => retries++ })
        .events())
        seen.push(seq);
      await Promise.all([writing, breaking]);
      assert.deepEqual(
        seen,
        Array.from({ length: total }, (_, index) => index + 1),
      );
      assert.ok(retries >= 4);
    }));

  it('takes messages, and throws what the server said of one that it refused', () =>
    withApi(async (api) => {
      const jobId = await addJob(api.database);
      await appendEvents(api.database, jobId, [note('a')]);
      api.jobs.onMessage = async (_, message) => {
        if (message.includes('"stop"')) throw new HelixError('job.wrong-state', 'no agent works');
      };
      const job = createClient(api.url).openJob(jobId);
      await assert.rejects(job.tell({ type: 'stop' }), hasCode('stack.unreachable'));
      for await (const { seq } of job.events()) {
        assert.equal(seq, 1);
        await job.tell({ type: 'steer', text: 'faster' });
        await assert.rejects(job.tell({ type: 'stop' }), hasCode('job.wrong-state'));
        break;
      }
      assert.match(api.jobs.messages[0]!, /agent .*faster/);
      await assert.rejects(job.tell({ type: 'stop' }), hasCode('stack.unreachable'));
    }));

  it('says that there is no such job, and that nobody answers', () =>
    withApi(async (api) => {
      const client = createClient(api.url);
      await assert.rejects(client.openJob('job-zzzzzzzzzzzz').events().next(), hasCode('job.not-found'));
      const jobId = await addJob(api.database);
      const stop = new AbortController();
      const waiting = client.openJob(jobId, { signal: stop.signal }).events().next();
      await sleep(100);
      stop.abort(new Error('enough'));
      await assert.rejects(waiting, /enough/);
      await api.kill();
      await assert.rejects(client.openJob(jobId, { retryForMs: 200 }).events().next(), hasCode('stack.unreachable'));
    }));
});

function hasCode(code: string): (error: unknown) => boolean {
  return (error) => error instanceof HelixError && error.code === code;
}

function open(api: TestApi, path: string, options: ClientOptions = {}): WebSocket {
  const socket = new WebSocket(api.url.replace('http', 'ws') + path, options);
  socket.on('error', () => undefined);
  return socket;
}

/** Everything that comes, until the connection is closed. */
async function read(socket: WebSocket): Promise<{ messages: SocketMessage[]; bytes: Buffer; code: number }> {
  const messages: SocketMessage[] = [];
  const chunks: Buffer[] = [];
  socket.on('message', (data: Buffer, isBinary) => {
    if (isBinary) chunks.push(data);
    else messages.push(JSON.parse(data.toString()) as SocketMessage);
  });
  const [code] = (await once(socket, 'close')) as [number];
  return { messages, bytes: Buffer.concat(chunks), code };
}

async function refusal(socket: WebSocket): Promise<IncomingMessage> {
  const [, response] = (await once(socket, 'unexpected-response')) as [unknown, IncomingMessage];
  response.resume();
  return response;
}

function bufferedBytes(): number {
  const { heapUsed, external, arrayBuffers } = process.memoryUsage();
  return heapUsed + external + arrayBuffers;
}

async function finish({ database }: TestApi, jobId: string): Promise<void> {
  const result = resultOf(jobId);
  await appendEvents(database, jobId, [
    { key: 'end', at: new Date().toISOString(), data: { type: 'job.finished', result } },
  ]);
  await updateJob(database, jobId, { status: 'succeeded', result });
}
