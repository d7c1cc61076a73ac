import assert from 'node:assert/strict';
import { condenseMetrics, insertSamples, type NodeSample, readMetrics } from '../../db/node-metrics.ts';
import { insertNode, getNode } from '../../db/nodes.ts';
import { nodeRecord } from './samples.ts';
import { withSchema } from './with-schema.ts';

const minute = 60_000;
const hour = 60 * minute;
const day = 24 * hour;
const start = Date.parse('2026-03-01T10:00:00.000Z');

const sample = (at: number, more: Partial<NodeSample> = {}): NodeSample => ({
  node: 'n',
  at: new Date(at).toISOString(),
  cpu: 0.5,
  load: 1,
  memoryFree: 2 ** 33,
  diskFree: 2 ** 40,
  latencyMs: 2,
  clockOffsetMs: 0,
  busy: 1,
  ...more,
});

describe('metrics of nodes', () => {
  it('are kept by the sample, minute and hour, each for its time, however often they are condensed', () =>
    withSchema(async (database) => {
      await insertNode(database, nodeRecord('n'));
      const samples = Array.from({ length: (2 * 3600) / 10 }, (_, index) =>
        sample(start + index * 10_000, { cpu: (index % 6) / 10 }),
      );
      await insertSamples(database, samples);
      const at = (ms: number) => new Date(start + ms);
      const count = async (period: number) => (await readMetrics(database, 'n', period, at(-day))).length;
      for (let round = 0; round < 3; round += 1) await condenseMetrics(database, at(90 * minute + 20_000));
      assert.deepEqual([await count(60), await count(3600)], [90, 1], 'only what is over is condensed');
      const [first] = await readMetrics(database, 'n', 60, at(0));
      assert.equal(first!.samples, 6);
      assert.ok(Math.abs(first!.cpu - 0.25) < 1e-6 && Math.abs(first!.cpuMax - 0.5) < 1e-6);
      const oldest = (await readMetrics(database, 'n', 0, at(-day)))[0]!.at;
      assert.equal(oldest, at(30 * minute + 20_000).toISOString(), 'samples are kept for an hour');

      await condenseMetrics(database, at(2 * hour + 20_000));
      assert.deepEqual([await count(60), await count(3600)], [120, 2]);
      const hours = await readMetrics(database, 'n', 3600, at(0));
      assert.deepEqual(
        hours.map(({ samples: counted }) => counted),
        [360, 360],
      );

      await condenseMetrics(database, at(day + 90 * minute));
      assert.deepEqual([await count(0), await count(60), await count(3600)], [0, 30, 2], 'minutes are kept for a day');
      await condenseMetrics(database, at(30 * day + 30 * minute));
      assert.deepEqual([await count(60), await count(3600)], [0, 1], 'hours are kept for 30 days');
    }));

  it('keep the worst of a period beside its mean', () =>
    withSchema(async (database) => {
      await insertNode(database, nodeRecord('n'));
      await insertSamples(database, [
        sample(start, { load: 1, latencyMs: 2, diskFree: 9e9, memoryFree: 5e9, clockOffsetMs: 10 }),
        sample(start + 5000, { load: 9, latencyMs: 400, diskFree: 1e6, memoryFree: 1e9, clockOffsetMs: -20 }),
      ]);
      await condenseMetrics(database, new Date(start + 2 * minute));
      const [row] = await readMetrics(database, 'n', 60, new Date(start));
      const { load, loadMax, latencyMs, latencyMaxMs, diskFree, memoryFree, clockOffsetMs } = row!;
      assert.deepEqual(
        { load, loadMax, latencyMs, latencyMaxMs, diskFree, memoryFree, clockOffsetMs },
        { load: 5, loadMax: 9, latencyMs: 201, latencyMaxMs: 400, diskFree: 1e6, memoryFree: 1e9, clockOffsetMs: -5 },
      );
    }));

  it('of a node that is gone are left out and do not keep out those of the others', () =>
    withSchema(async (database) => {
      await insertNode(database, nodeRecord('n'));
      await insertSamples(database, [sample(start, { node: 'gone' }), sample(start), sample(start)]);
      assert.equal((await readMetrics(database, 'n', 0, new Date(start))).length, 1);
      assert.equal((await getNode(database, 'n'))!.metrics!.at, new Date(start).toISOString());
    }));
});
