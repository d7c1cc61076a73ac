import assert from 'node:assert/strict';
import { mock } from 'node:test';
import type { Context } from '@temporalio/activity';
import { Heartbeats } from '../../activities/heartbeats.ts';

interface Activity {
  context: Context;
  beats: unknown[];
  control: AbortController;
  stop(): void;
}

describe('heartbeats', () => {
  beforeEach(() => mock.timers.enable({ apis: ['setTimeout'] }));
  afterEach(() => mock.timers.reset());

  function start(heartbeats: Heartbeats, runId: string): Activity {
    const control = new AbortController();
    const beats: unknown[] = [];
    const context = {
      cancellationSignal: control.signal,
      info: { workflowExecution: { workflowId: 'job', runId } },
      heartbeat: (details: unknown) => beats.push(details),
    } as unknown as Context;
    return { context, beats, control, stop: heartbeats.keep(context, () => runId) };
  }

  const total = (activities: Activity[]): number => activities.reduce((sum, { beats }) => sum + beats.length, 0);

  it('are sent twice a second with the details of the moment, until the activity ends', () => {
    const activity = start(new Heartbeats(), 'a');
    for (let beat = 0; beat < 3; beat += 1) mock.timers.tick(500);
    assert.deepEqual(activity.beats, ['a', 'a', 'a']);
    activity.stop();
    mock.timers.tick(10_000);
    assert.equal(activity.beats.length, 3);
  });

  it('of many activities are so much rarer that the server gets no more of them, but often enough for each', () => {
    const heartbeats = new Heartbeats();
    const few = Array.from({ length: 100 }, () => start(heartbeats, 'a'));
    for (let ms = 0; ms < 30_000; ms += 100) mock.timers.tick(100);
    assert.ok(total(few) <= 1_400, `${total(few)} in 30 s`);
    const many = [...few, ...Array.from({ length: 900 }, () => start(heartbeats, 'a'))];
    const before = many.map(({ beats }) => beats.length);
    for (let ms = 0; ms < 8_000; ms += 100) mock.timers.tick(100);
    assert.ok(many.every(({ beats }, index) => beats.length > before[index]!));
  });

  it('are sent at once for what else the same workflow has under way when something of it is cancelled', () => {
    const heartbeats = new Heartbeats();
    const [one, two, other] = ['a', 'a', 'b'].map((runId) => start(heartbeats, runId));
    one!.control.abort();
    assert.deepEqual([one!.beats.length, two!.beats.length, other!.beats.length], [0, 1, 0]);
  });
});
