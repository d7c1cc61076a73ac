import assert from 'node:assert/strict';
import { setTimeout as delay } from 'node:timers/promises';
import type { Resources } from '../../contracts/step.ts';
import { type AcquireOptions, Allocator, type Placeable, type SlotLease } from '../../fleet/placement/allocator.ts';
import { shareOf } from '../../fleet/placement/resources.ts';
import { Warmth } from '../../fleet/placement/warmth.ts';

const gibibyte = 2 ** 30;

const node = (name: string, cpus: number, slots: number, more: Partial<Placeable> = {}): Placeable => ({
  name,
  slots,
  labels: {},
  takes: 'any',
  degraded: false,
  facts: { os: 'linux', arch: 'x64', hostname: name, cpus, memory: cpus * gibibyte, diskFree: 1, gpus: [], tools: {} },
  ...more,
});

/** A generator of the same numbers for the same seed: https://en.wikipedia.org/wiki/Linear_congruential_generator. */
function numbers(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

let executions = 0;

function acquire(allocator: Allocator, more: Partial<AcquireOptions> = {}): Promise<SlotLease> {
  executions += 1;
  return allocator.acquire('any', { executionId: `p${executions}`, signal: new AbortController().signal, ...more });
}

async function isPending(promise: Promise<unknown>): Promise<boolean> {
  return await Promise.race([promise.then(() => false), delay(5).then(() => true)]);
}

describe('placement by what steps ask for', () => {
  for (const seed of [1, 2, 3, 4, 5]) {
    it(`never takes more of a node than there is, and serves every step in the end (seed ${seed})`, async () => {
      const random = numbers(seed);
      const allocator = new Allocator();
      const nodes = [node('a', 2, 2), node('b', 8, 4), node('c', 4, 8), node('d', 16, 16)];
      for (const each of nodes) allocator.setNode(each);
      const used = new Map(nodes.map(({ name }) => [name, { slots: 0, memory: 0, exclusive: 0, steps: 0 }]));
      let done = 0;
      const step = async (): Promise<void> => {
        await delay(random(20));
        const resources: Resources = {
          ...(random(3) === 0 ? { cores: 1 + random(16) } : {}),
          ...(random(3) === 0 ? { memory: (1 + random(16)) * gibibyte } : {}),
          ...(random(8) === 0 ? { exclusive: true } : {}),
        };
        const lease = await acquire(allocator, { resources });
        const on = nodes.find(({ name }) => name === lease.node)!;
        const total = used.get(on.name)!;
        const share = shareOf(on, resources);
        total.slots += share.slots;
        total.memory += share.memory;
        total.exclusive += resources.exclusive ? 1 : 0;
        total.steps += 1;
        assert.ok(total.slots <= on.slots, `${on.name}: ${total.slots} of ${on.slots} slots`);
        assert.ok(total.memory <= on.facts.memory, `${on.name}: too much memory`);
        assert.ok(total.exclusive === 0 || total.steps === 1, `${on.name}: something beside an exclusive step`);
        assert.ok((resources.cores ?? 0) <= on.facts.cpus);
        await delay(random(4));
        total.slots -= share.slots;
        total.memory -= share.memory;
        total.exclusive -= resources.exclusive ? 1 : 0;
        total.steps -= 1;
        lease.release(true);
        done += 1;
      };
      await Promise.all(Array.from({ length: 300 }, step));
      assert.equal(done, 300);
      for (const { name } of nodes) assert.equal(allocator.busySlots(name), 0);
    });
  }

  it('keeps a node from a stream of small steps until a big one has had its turn', async () => {
    const allocator = new Allocator();
    allocator.setNode(node('a', 4, 4));
    const small = [await acquire(allocator), await acquire(allocator)];
    const big = acquire(allocator, { resources: { exclusive: true } });
    const later = acquire(allocator);
    assert.ok(await isPending(later), 'there are free slots, but the big one is first');
    for (const lease of small) lease.release(true);
    (await big).release(true);
    assert.equal((await later).node, 'a');
  });

  it('says at once that nobody can ever take a step, and what each node lacks decides', async () => {
    const allocator = new Allocator();
    allocator.setNode(node('a', 4, 4));
    let told = 0;
    const onUnserved = (): void => void (told += 1);
    const asked = acquire(allocator, { resources: { cores: 8 }, onUnserved });
    assert.equal(told, 1);
    assert.equal(allocator.serves('any', { cores: 8 }), false);
    assert.equal(allocator.serves('any', { cores: 4, memory: 4 * gibibyte }), true);
    allocator.setNode(node('b', 8, 2));
    assert.equal((await asked).node, 'b');
    assert.equal(allocator.busySlots('b'), 2, 'eight of eight processors are all of its slots');
  });

  it('counts what a node says it runs and nobody here has asked for, until it has ended or is gone on with', async () => {
    const allocator = new Allocator();
    allocator.setNode(node('a', 2, 2));
    allocator.setRunning('a', ['left-behind', 'another']);
    const waiting = acquire(allocator, { executionId: 'waits' });
    assert.ok(await isPending(waiting), 'both slots are taken');
    const resumed = await acquire(allocator, { executionId: 'left-behind', attachTo: 'a' });
    assert.equal(allocator.busySteps('a'), 2, 'it is not counted twice');
    allocator.setRunning('a', ['left-behind']);
    const lease = await waiting;
    lease.release(true);
    allocator.setRunning('a', ['left-behind', 'waits']);
    assert.equal(allocator.busySteps('a'), 1, 'what has ended here is not counted because the node was slow to say so');
    resumed.release(false);
    assert.equal(allocator.busySteps('a'), 1, 'it goes on there, and counts');
  });

  it('goes on, but begins nothing, on a node that takes no new steps', async () => {
    const allocator = new Allocator();
    allocator.setNode(node('a', 2, 2, { takes: 'attached' }));
    const fresh = acquire(allocator);
    assert.ok(await isPending(fresh));
    assert.equal((await acquire(allocator, { attachTo: 'a' })).attachOnly, true);
    allocator.setNode(node('a', 2, 2));
    assert.equal((await fresh).attachOnly, false);
  });

  it('prefers nodes that are well, then those that have what the step needs, unless they are much busier', async () => {
    const allocator = new Allocator();
    const warmth = new Warmth();
    const layer = { name: 'deps', key: 'a'.repeat(64), install: { shell: 'x', cwd: '.' }, paths: ['x'], env: {} };
    const spec = { project: 'p', layers: [layer] };
    const warm = (name: string) => warmth.of(name, spec);
    allocator.setNode(node('a', 4, 4));
    allocator.setNode(node('b', 4, 4));
    allocator.setNode(node('ill', 64, 64, { degraded: true }));
    warmth.note('b', spec);
    const leases = [];
    for (let index = 0; index < 6; index += 1) leases.push(await acquire(allocator, { warmth: warm }));
    assert.deepEqual(leases.map((lease) => lease.node), ['b', 'b', 'b', 'a', 'b', 'a']); // prettier-ignore
    assert.equal(leases[0]!.why, 'it has the project already');
    for (let index = 0; index < 2; index += 1) await acquire(allocator, { warmth: warm });
    assert.equal((await acquire(allocator, { warmth: warm })).node, 'ill', 'better ill than none');
  });

  it('places nothing while it may not, and takes no task whose nodes another pool has', async () => {
    let alive = false;
    const allocator = new Allocator(() => alive);
    allocator.setNode(node('a', 1, 1));
    const waiting = acquire(allocator);
    assert.ok(await isPending(waiting));
    alive = true;
    allocator.serve();
    assert.equal((await waiting).node, 'a');
    allocator.removeNode('a');
    allocator.setElsewhere([node('far', 4, 4)]);
    await assert.rejects(acquire(allocator), /another node-pool/);
    const control = new AbortController();
    const credit = allocator.reserveCredit('any', control.signal);
    assert.ok(await isPending(credit), 'it does not poll for them');
    control.abort(new Error('enough'));
    await assert.rejects(credit, /enough/);
  });
});
