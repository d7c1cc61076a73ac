import assert from 'node:assert/strict';
import { NodeLife } from '../../workflows/node-life.ts';

const minute = 60_000;
const hour = 60 * minute;

describe('the life of a node', () => {
  it('is examined at growing intervals while it is in quarantine, an hour at most', () => {
    const life = new NodeLife();
    let now = 0;
    assert.equal(life.msUntilDue(now), undefined);
    life.quarantine(minute, now);
    const waits: number[] = [];
    for (let round = 0; round < 9; round += 1) {
      const wait = life.msUntilDue(now)!;
      waits.push(wait / minute);
      now += wait;
      life.stay(now);
    }
    assert.deepEqual(waits, [1, 2, 4, 8, 16, 32, 60, 60, 60]);
  });

  it('waits twice as long each time that it relapses, and begins anew after a day without', () => {
    const life = new NodeLife();
    life.quarantine(minute, 0);
    life.release(minute);
    life.quarantine(minute, 2 * minute);
    assert.equal(life.msUntilDue(2 * minute), 2 * minute);
    life.quarantine(minute, 3 * minute);
    assert.equal(life.msUntilDue(3 * minute), minute, 'told twice it is once');
    life.release(4 * minute);
    life.quarantine(minute, 30 * hour);
    assert.equal(life.msUntilDue(30 * hour), minute);
  });

  it('goes on in a new run where it was', () => {
    const life = new NodeLife();
    life.quarantine(5 * minute, 0);
    const next = new NodeLife(life.soFar);
    assert.equal(next.isInQuarantine, true);
    assert.equal(next.msUntilDue(minute), 4 * minute);
    next.stay(5 * minute);
    assert.equal(next.msUntilDue(5 * minute), 10 * minute);
  });

  it('says what it is at', () => {
    const life = new NodeLife();
    assert.match(life.describe(), /Nothing/);
    life.startDrain({ limitMs: minute, reason: 'new kernel' }, true, 0);
    assert.match(life.describe(), /Draining until 1970-01-01T00:01:00.000Z at most, then it goes: new kernel/);
    life.quarantine(minute, 0);
    assert.match(life.describe(), /In quarantine; examined next at 1970-01-01T00:01:00.000Z/);
    life.removed = true;
    assert.match(life.describe(), /on record no more/);
  });
});
