import assert from 'node:assert/strict';
import { HelixError } from '../../contracts/error.ts';
import { jobEventSchema } from '../../contracts/event.ts';
import { openDatabase } from '../../db/database.ts';
import { appendEvents, isLogAtEnd, readEvents } from '../../db/events.ts';
import { getJob, updateJob } from '../../db/jobs.ts';
import { addJob, note, resultOf } from './samples.ts';
import { withSchema } from './with-schema.ts';

describe("a job's event log", () => {
  it('has no gap and no double when twenty append at once and every append is delivered twice', () =>
    withSchema(async (database, url) => {
      const jobId = await addJob(database);
      const appenders = Array.from({ length: 20 }, () => openDatabase(url, { connections: 1 }));
      try {
        await Promise.all(
          appenders.map(async (appender, index) => {
            for (let round = 0; round < 10; round++) {
              const events = [note(`${index}.${round}.a`), note(`${index}.${round}.b`)];
              await Promise.all([appendEvents(appender, jobId, events), appendEvents(database, jobId, events)]);
            }
          }),
        );
      } finally {
        await Promise.all(appenders.map((appender) => appender.close()));
      }
      const events = await readEvents(database, jobId, 0, 10_000);
      assert.deepEqual(
        events.map(({ seq }) => seq),
        Array.from({ length: 400 }, (_, index) => index + 1),
      );
      const messages = events.map(({ data }) => (data.type === 'note' ? data.message : ''));
      assert.equal(new Set(messages).size, 400);
      for (let index = 0; index < 20; index++) {
        const own = messages.filter((message) => message.startsWith(`${index}.`));
        assert.deepEqual(own, [...own].sort(), 'events of one appender stand in the order in which it appended them');
      }
      assert.equal((await getJob(database, jobId))?.lastSeq, 400);
    }));

  it('records a key once, within one append too, and goes on counting after a repeated one', () =>
    withSchema(async (database) => {
      const jobId = await addJob(database);
      assert.equal(await appendEvents(database, jobId, [note('a', 'k1'), note('b', 'k1'), note('c', 'k2')]), 2);
      assert.equal(await appendEvents(database, jobId, [note('a', 'k1')]), 2);
      assert.equal(await appendEvents(database, jobId, [note('c', 'k2'), note('d', 'k3')]), 3);
      const messages = (await readEvents(database, jobId, 0, 10)).map(
        ({ data }) => data.type === 'note' && data.message,
      );
      assert.deepEqual(messages, ['a', 'c', 'd']);
    }));

  it('keeps events as the contract has them, whatever program output is quoted in them', () =>
    withSchema(async (database) => {
      const jobId = await addJob(database);
      await appendEvents(database, jobId, [note('a\0b \ud800 \\u0000 "quoted" ✓', 'odd')]);
      const [event] = await readEvents(database, jobId, 0, 1);
      assert.deepEqual(jobEventSchema.parse(event), event);
      assert.equal(event?.data.type === 'note' && event.data.message, 'a\ufffdb \ufffd \\u0000 "quoted" ✓');
    }));

  it('refuses events of a job that is not on record', () =>
    withSchema(async (database) => {
      await assert.rejects(
        appendEvents(database, 'job-zzzzzzzzzzzz', [note('x')]),
        (error) => error instanceof HelixError && error.code === 'job.not-found',
      );
    }));

  it('tells listeners of each job that changed', () =>
    withSchema(async (database) => {
      const jobId = await addJob(database);
      const heard: (string | undefined)[] = [];
      const stop = await database.listen('helix_events', (payload) => heard.push(payload));
      await appendEvents(database, jobId, [note('x')]);
      await updateJob(database, jobId, { status: 'paused' });
      await until(() => heard.filter((payload) => payload === jobId).length === 2);
      stop();
    }));

  it('is at its end when the job has ended and the reader has read so', () =>
    withSchema(async (database) => {
      const jobId = await addJob(database);
      const finished = {
        key: 'end',
        at: new Date().toISOString(),
        data: { type: 'job.finished' as const, result: resultOf(jobId) },
      };
      await updateJob(database, jobId, { status: 'succeeded' });
      assert.equal(await isLogAtEnd(database, jobId, 0), false, 'the status may be written before the event');
      await appendEvents(database, jobId, [note('x'), finished]);
      assert.equal(await isLogAtEnd(database, jobId, 1), false);
      assert.equal(await isLogAtEnd(database, jobId, 2), true);
    }));
});

async function until(isTrue: () => boolean): Promise<void> {
  while (!isTrue()) await new Promise((resolve) => setTimeout(resolve, 5));
}
