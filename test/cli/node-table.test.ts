import assert from 'node:assert/strict';
import { describeHistory } from '../../cli/node/history.ts';
import { liveTable } from '../../cli/node/live-table.ts';
import type { NodeMetrics } from '../../contracts/node.ts';
import { nodeRecord } from '../db/samples.ts';

const minute: NodeMetrics = {
  at: '2026-01-01T00:00:00.000Z',
  period: 60,
  samples: 12,
  cpu: 0.25,
  cpuMax: 0.75,
  load: 1,
  loadMax: 3,
  memoryFree: 2 ** 32,
  diskFree: 2 ** 35,
  latencyMs: 2,
  latencyMaxMs: 9,
  clockOffsetMs: 0,
  busy: 1,
};

describe('nodes as people see them', () => {
  it('the live table has a row for each, with what it said of itself last, and no control characters of a reason', () => {
    const well = nodeRecord('well', { busy: 1, metrics: { ...minute, period: 0 } });
    const lost = nodeRecord('lost', { state: 'unreachable', reason: 'no\x1b[31m route\n to host' });
    const [heading, first, second] = liveTable([well, lost], Date.parse(well.since) + 65_000).split('\n');
    assert.match(heading!, /^NAME +STATE +FOR +BUSY +CPU +LOAD +MEMORY FREE +DISK FREE +LATENCY +REASON$/);
    assert.match(first!, /^well +healthy +1m 05s +1\/2 +25% +1\.0 +4 ?GiB +32 ?GiB +2\.0 ms$/);
    assert.match(second!, /^lost +unreachable +1m 05s +0\/2 +- +- +- +- +- +no.*route.*to host$/);
    assert.doesNotMatch(second!, /\x1b/);
  });

  it('the history has the last hour in a line and the changes of state', () => {
    const events = [
      { at: '2026-01-01T10:00:01.000Z', state: 'healthy' as const },
      { at: '2026-01-01T09:00:00.000Z', state: 'cordoned' as const, reason: 'new kernel' },
    ];
    assert.equal(
      describeHistory(events, [minute, { ...minute, cpu: 0.75, cpuMax: 1, load: 2 }]),
      `  last hour  cpu 50% (100% at most), load 1.5 (3.0), latency 2.0 ms (9.0), steps 1.0
HISTORY
  2026-01-01 10:00:01  healthy
  2026-01-01 09:00:00  cordoned (new kernel)
`,
    );
    assert.equal(describeHistory([], []), '');
  });
});
