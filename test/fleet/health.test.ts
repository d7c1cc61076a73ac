import assert from 'node:assert/strict';
import { ConditionJudge } from '../../fleet/health/conditions.ts';
import type { Beat } from '../../fleet/node-link.ts';

const gibibyte = 2 ** 30;
const size = { cpus: 4, slots: 4, memory: 16 * gibibyte };
const well: Beat = {
  at: 0,
  cpu: 0.1,
  load: 1,
  memoryFree: 8 * gibibyte,
  diskFree: 100 * gibibyte,
  diskTotal: 200 * gibibyte,
  running: [],
  ended: [],
  latencyMs: 5,
  clockOffsetMs: 3,
};

/** The condition after so many equal looks. */
function after(judge: ConditionJudge, looks: number, ill: Partial<Beat>) {
  let condition = judge.look({ ...well, ...ill }, size);
  for (let look = 1; look < looks; look += 1) condition = judge.look({ ...well, ...ill }, size);
  return condition;
}

describe('the condition of a node', () => {
  it('is healthy as long as nothing is low, high or off', () => {
    assert.deepEqual(after(new ConditionJudge(), 5, {}), { state: 'healthy' });
  });

  const ills: [string, Partial<Beat>, RegExp][] = [
    ['disk', { diskFree: gibibyte }, /^disk low: 1.0 GiB of 200.0 GiB free$/],
    ['small disk', { diskTotal: 10 * gibibyte, diskFree: gibibyte / 4 }, /^disk low: 256 MiB of 10.0 GiB free$/],
    ['memory', { memoryFree: 100 * 2 ** 20 }, /^memory low: 100 MiB of 16.0 GiB free$/],
    ['load', { load: 40 }, /^load high: 40.0 on 4 processors$/],
    ['latency', { latencyMs: 1500 }, /^latency high: 1500 ms$/],
    ['clock', { clockOffsetMs: 3 * 3_600_000 }, /^clock off: 3.0 hours fast$/],
    ['clock behind', { clockOffsetMs: -120_000 }, /^clock off: 2 minutes slow$/],
  ];
  for (const [name, ill, reason] of ills) {
    it(`is degraded by its ${name}, and says by how much`, () => {
      const condition = after(new ConditionJudge(), 3, ill);
      assert.equal(condition.state, 'degraded');
      assert.match(condition.reason!, reason);
    });
  }

  it('is not changed by one look, but by a disk that is full', () => {
    assert.equal(after(new ConditionJudge(), 1, { load: 40, latencyMs: 5000 }).state, 'healthy');
    assert.equal(after(new ConditionJudge(), 1, { diskFree: 0 }).state, 'degraded');
  });

  it('does not come and go with a figure about its limit, and keeps its words while it lasts', () => {
    const judge = new ConditionJudge();
    const { reason } = after(judge, 3, { load: 17 });
    assert.match(reason!, /17/);
    assert.deepEqual(after(judge, 10, { load: 15 }), { state: 'degraded', reason });
    assert.deepEqual(after(judge, 2, { load: 8 }), { state: 'degraded', reason });
    assert.deepEqual(after(judge, 1, { load: 8 }), { state: 'healthy' });
  });

  it('says all that is wrong at once', () => {
    assert.match(after(new ConditionJudge(), 3, { load: 40, diskFree: 0 }).reason!, /^disk low: .*, load high: /);
  });

  it('takes no slow answer for a clock that is wrong', () => {
    const late = { latencyMs: 40_000, clockOffsetMs: 20_000 };
    assert.doesNotMatch(after(new ConditionJudge(), 3, late).reason!, /clock/);
  });
});
