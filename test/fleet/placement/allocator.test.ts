import assert from 'node:assert/strict';
import { setTimeout as delay } from 'node:timers/promises';
import { type AcquireOptions, Allocator, type Placeable, type SlotLease } from '../../../fleet/placement/allocator.ts';
import type { Credit } from '../../../fleet/placement/credit.ts';

const node = (name: string, slots: number, tools: string[] = [], more: Partial<Placeable> = {}): Placeable => ({
  name,
  slots,
  labels: {},
  takes: 'any',
  degraded: false,
  facts: {
    os: 'linux',
    arch: 'x64',
    hostname: name,
    cpus: slots,
    memory: 1,
    diskFree: 1,
    gpus: [],
    tools: Object.fromEntries(tools.map((tool) => [tool, '1.0'])),
  },
  ...more,
});

const never = new AbortController().signal;

let executions = 0;

/** A step that nothing calls off, unless told otherwise. */
function acquire(allocator: Allocator, className: string, more: Partial<AcquireOptions> = {}): Promise<SlotLease> {
  executions += 1;
  return allocator.acquire(className, { executionId: `e${executions}`, signal: never, ...more });
}

/** Whether the promise is still pending after everything that can happen at once has happened. */
async function pending(promise: Promise<unknown>): Promise<boolean> {
  return await Promise.race([promise.then(() => false), delay(5).then(() => true)]);
}

async function creditsOf(allocator: Allocator, className: string, most: number): Promise<Credit[]> {
  const credits: Credit[] = [];
  while (credits.length < most) {
    const control = new AbortController();
    const asked = allocator.reserveCredit(className, control.signal);
    if (await pending(asked)) {
      control.abort(new Error('enough'));
      await assert.rejects(asked, /enough/);
      break;
    }
    credits.push(await asked);
  }
  return credits;
}

describe('the allocator', () => {
  it('polls for the steps whose executions were left on full nodes, though another waits for a place already', async () => {
    const allocator = new Allocator();
    allocator.setNode(node('a', 1));
    const [other] = await creditsOf(allocator, 'any', 1);
    other!.markUsed();
    allocator.setRunning('a', ['left']);
    const waiting = acquire(allocator, 'any');
    assert.ok(await pending(waiting));
    const [own] = await creditsOf(allocator, 'any', 1);
    assert.ok(own, 'nobody else can free the place');
    own.markUsed();
    const lease = await acquire(allocator, 'any', { executionId: 'left', attachTo: 'a' });
    lease.release(true);
    assert.ok(await Promise.race([waiting.then(() => true), delay(1_000).then(() => false)]));
  });

  it('gives a step the least loaded node of its class', async () => {
    const allocator = new Allocator();
    allocator.setNode(node('a', 2, ['go']));
    allocator.setNode(node('b', 4, ['go']));
    allocator.setNode(node('c', 9));
    const leases = [];
    for (let index = 0; index < 6; index += 1) leases.push(await acquire(allocator, 'go', {}));
    assert.deepEqual([allocator.busySlots('a'), allocator.busySlots('b'), allocator.busySlots('c')], [2, 4, 0]);
    const seventh = acquire(allocator, 'go', {});
    assert.equal(await pending(seventh), true, 'never more steps than slots');
    leases[0]!.release(true);
    leases[0]!.release(true);
    await seventh;
    assert.equal(allocator.busySlots('a') + allocator.busySlots('b'), 6, 'a slot is given back once');
  });

  it('spares the node that more classes could need', async () => {
    const allocator = new Allocator();
    allocator.setNode(node('a-rare', 1, ['go', 'rust']));
    allocator.setNode(node('b-common', 1, ['go']));
    await creditsOf(allocator, 'rust', 1);
    assert.equal((await acquire(allocator, 'go', {})).node, 'b-common');
  });

  it('takes a step back to the node where it runs, even when that is full, as long as it is healthy', async () => {
    const allocator = new Allocator();
    allocator.setNode(node('a', 1));
    allocator.setNode(node('b', 1));
    const first = await acquire(allocator, 'any', {});
    assert.equal((await acquire(allocator, 'any', { attachTo: first.node })).node, first.node);
    allocator.setNode(node(first.node, 1, [], { takes: 'nothing' }));
    assert.notEqual((await acquire(allocator, 'any', { attachTo: first.node })).node, first.node);
  });

  it('grants as many credits to poll as there are free slots, and an idle class holds no node', async () => {
    const allocator = new Allocator();
    allocator.setNode(node('a', 3, ['go', 'rust']));
    assert.equal((await creditsOf(allocator, 'go', 10)).length, 3);
    assert.equal((await creditsOf(allocator, 'rust', 10)).length, 3, 'credits of one class take nothing from another');
    assert.equal(allocator.busySlots('a'), 0);
  });

  it('polls for nothing that no slot is free for, but keeps a place for a class that has nobody waiting', async () => {
    const allocator = new Allocator();
    allocator.setNode(node('a', 1, ['go', 'rust']));
    const lease = await acquire(allocator, 'go', {});
    const [place, ...more] = await creditsOf(allocator, 'rust', 10);
    assert.equal(more.length, 0);
    place!.markUsed();
    assert.equal((await creditsOf(allocator, 'rust', 10)).length, 0, 'one waits already');
    const waiting = acquire(allocator, 'rust', {});
    lease.release(true);
    assert.equal((await waiting).node, 'a');
  });

  it('counts a task that was polled and has not arrived yet as taking a slot', async () => {
    const allocator = new Allocator();
    allocator.setNode(node('a', 2));
    const [first, second] = await creditsOf(allocator, 'any', 2);
    first!.markUsed();
    second!.markUsed();
    assert.equal((await creditsOf(allocator, 'any', 1)).length, 0);
    first!.release();
    assert.equal((await creditsOf(allocator, 'any', 5)).length, 1, 'a task that needed no node frees its place');
  });

  it('tells a step at once that nobody serves its class, and serves it when a node comes', async () => {
    const allocator = new Allocator();
    allocator.setNode(node('a', 1));
    let told = 0;
    const waiting = acquire(allocator, 'gpu', { onUnserved: () => (told += 1) });
    assert.equal(told, 1);
    assert.equal(allocator.serves('gpu'), false);
    const gpu = node('b', 1);
    allocator.setNode({ ...gpu, facts: { ...gpu.facts, gpus: [{ vendor: 'nvidia' }] } });
    assert.equal((await waiting).node, 'b');
    assert.equal(told, 1);
  });

  it('takes in tasks of an unserved class, so that each can be told', async () => {
    const allocator = new Allocator();
    assert.ok((await creditsOf(allocator, 'gpu', 20)).length === 20);
  });

  it('forgets a waiter whose signal is aborted and gives the slot to the next', async () => {
    const allocator = new Allocator();
    allocator.setNode(node('a', 1));
    const lease = await acquire(allocator, 'any', {});
    const control = new AbortController();
    const aborted = acquire(allocator, 'any', { signal: control.signal });
    const next = acquire(allocator, 'any', {});
    control.abort(new Error('cancelled'));
    await assert.rejects(aborted, /cancelled/);
    lease.release(true);
    assert.equal((await next).node, 'a');
  });

  it('never holds more slots than there are, whatever comes and goes', async () => {
    const allocator = new Allocator();
    const slots = { a: 2, b: 3 };
    allocator.setNode(node('a', 2, ['go']));
    allocator.setNode(node('b', 3));
    let done = 0;
    const step = async (className: string): Promise<void> => {
      const credit = await allocator.reserveCredit(className, never);
      credit.markUsed();
      const lease = await acquire(allocator, className, {});
      for (const [name, most] of Object.entries(slots)) assert.ok(allocator.busySlots(name) <= most);
      await delay(Math.random() * 3);
      lease.release(true);
      credit.release();
      done += 1;
    };
    await Promise.all(Array.from({ length: 200 }, (_, index) => step(index % 3 === 0 ? 'go' : 'any')));
    assert.equal(done, 200);
    assert.equal(allocator.busySlots('a') + allocator.busySlots('b'), 0);
  });
});
