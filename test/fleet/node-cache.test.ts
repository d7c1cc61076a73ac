import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import {
  appendFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  renameSync,
  rmSync,
  statfsSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Layer, StepSpec } from '../../contracts/step.ts';
import { cacheLimit, isOverLimit } from '../../fleet/agent/cache-policy.ts';
import { cacheLimitOf } from '../../fleet/cache-limit.ts';
import type { EvictedThings } from '../../fleet/agent/node-cache.ts';
import { DETACH, type FleetNode, type LocalNodeOptions, openLocalNode, openSshNode } from '../../fleet/node.ts';
import { Warmth } from '../../fleet/placement/warmth.ts';
import { openStore } from '../../snapshots/store.ts';
import { pathWith, systemPrograms } from '../support/few-programs.ts';
import { withSshd } from '../support/sshd.ts';
import { quickTiming, runStep, start, withProject, type Project } from './project-fixture.ts';
import { eventually } from '../support/eventually.ts';

const mebibyte = 2 ** 20;
const timing = { ...quickTiming, pingMs: 50, sampleMs: 50 };

interface Cached extends Project {
  root: string;
  /** A node that has stores of its own, like one that is reached by SSH. */
  open(more?: Partial<LocalNodeOptions>): Promise<FleetNode>;
  has(path: string): boolean;
  /** A step whose workspace ignores the folder `cache`. */
  cachingStep(project: string, shell: string, more?: Partial<StepSpec>): Promise<StepSpec>;
}

/** Fails when a node was left open. With `diskBytes`, the node's folder is a file system of its own. */
async function withCache(use: (cached: Cached) => Promise<void>, diskBytes?: number): Promise<void> {
  await withProject(async (project) => {
    const root = join(project.dir, 'node');
    mkdirSync(root);
    if (diskBytes) execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${diskBytes}`, 'tmpfs', root]);
    const opened: FleetNode[] = [];
    const open = async (more: Partial<LocalNodeOptions> = {}): Promise<FleetNode> => {
      const common = { name: 'small', root, stores: project.stores, timing, shareStores: false };
      const node = await openLocalNode({ ...common, ...more });
      opened.push(node);
      return node;
    };
    const cachingStep = async (name: string, shell: string, more: Partial<StepSpec> = {}): Promise<StepSpec> => {
      const snapshot = more.snapshot ?? (await project.snapshot({ 'a.txt': 'a\n', '.gitignore': 'cache/\n' }));
      return project.spec(shell, { ...more, project: name, snapshot });
    };
    try {
      await use({ ...project, root, open, cachingStep, has: (path) => existsSync(join(root, path)) });
    } finally {
      await Promise.all(opened.map((node) => node.close()));
      if (diskBytes) execFileSync('umount', ['-l', root]);
    }
  });
}

const fill = (megabytes: number): string => `mkdir -p cache; head -c ${megabytes * mebibyte} /dev/zero > cache/big`;

const fillerName = 'of-somebody-else';

/** Lets somebody else's file grow until just so much is free. */
function leaveFree(root: string, bytes: number): void {
  const file = join(root, fillerName);
  const { bavail, bsize } = statfsSync(root);
  appendFileSync(file, Buffer.alloc(bavail * bsize - bytes));
}

/** The store of a project and its checkout. */
const storeOf = (project: string): string => `projects/${project}/store`;
const checkoutOf = (project: string): string => `projects/${project}/slots/0`;

const layer = (install: string): Layer => ({
  name: 'modules',
  key: 'a'.repeat(64),
  install: { shell: install, cwd: '.' },
  paths: ['modules'],
  env: {},
});

describe('the cache of a node', () => {
  it('is limited to half of the disk or to what a user says, and leaves a reserve', () => {
    const gibibyte = 2 ** 30;
    const disk = (total: number, free: number) => ({ total: total * gibibyte, free: free * gibibyte });
    assert.equal(cacheLimit(undefined, 0, disk(100, 90)), 50 * gibibyte);
    assert.equal(cacheLimit(8 * gibibyte, 0, disk(100, 90)), 8 * gibibyte);
    assert.equal(cacheLimit(undefined, 10 * gibibyte, disk(100, 3)), 9 * gibibyte, '4 GiB stay free');
    assert.equal(cacheLimit(undefined, gibibyte, disk(20, 1.5)), 0.5 * gibibyte, 'a tenth of a small disk');
    assert.equal(cacheLimit(8 * gibibyte, gibibyte, disk(100, 1)), 0);
    assert.equal(isOverLimit(undefined, 8 * gibibyte, disk(0, 0)), false, 'a file system that does not say');
    assert.equal(isOverLimit(gibibyte, 8 * gibibyte, disk(0, 0)), true);
    assert.equal(cacheLimitOf({ 'cache-limit': '20GiB' }, 5), 20 * gibibyte);
    assert.equal(cacheLimitOf({ rack: 'b' }, 5), 5);
    assert.equal(cacheLimitOf({}, undefined), undefined);
  });

  it('loses what was used longest ago when it is over its limit', () =>
    withCache(async ({ open, cachingStep, has }) => {
      const node = await open({ cacheBytes: 11 * mebibyte });
      const step = async (project: string, shell: string) => runStep(node, await cachingStep(project, shell));
      await step('one', fill(4));
      await step('two', fill(4));
      await step('one', 'ls cache');
      await step('three', fill(4));
      await eventually('the eviction', () => !has(checkoutOf('two')));
      await sleep(300);
      assert.ok(has(checkoutOf('one')) && has(checkoutOf('three')));
      assert.ok(has(storeOf('two')), 'the store is small, and what depends on it goes first');
      const { bytes, limitBytes } = (await node.probe()).cache!;
      assert.ok(bytes > 8 * mebibyte && bytes < limitBytes, `${bytes}`);
      assert.equal(limitBytes, 11 * mebibyte);
      assert.match((await step('one', 'ls cache')).log, /big/);
      assert.equal((await step('two', 'ls')).log, 'a.txt\n');
    }));

  it('keeps what is in use, until its result was collected', () =>
    withCache(async ({ open, cachingStep, has, dir, store, root }) => {
      const node = await open();
      // Knows of the other's work what the disk says.
      const greedy = await open({ cacheBytes: 0 });
      const go = join(dir, 'go');
      const idle = await cachingStep('idle', 'true');
      const waiting = `echo new > b.txt; echo up; until [ -e ${go} ]; do sleep 0.05; done; cat a.txt b.txt`;
      const running = start(node, await cachingStep('busy', waiting));
      await running.says('up');
      await runStep(greedy, idle);
      await eventually('the eviction of what nobody uses', () => !has('projects/idle'));
      assert.ok(has(storeOf('busy')) && has(`${checkoutOf('busy')}/b.txt`));
      writeFileSync(go, '');
      const outcome = await running.outcome;
      assert.equal(running.log(), 'up\na\nnew\n');
      await runStep(greedy, idle);
      await eventually('the next eviction', () => !has('projects/idle'));
      const made = await openStore(join(root, storeOf('busy')));
      assert.ok(await made.has(outcome.snapshot), 'nobody has acknowledged the result');
      await node.release(running.id);
      await runStep(greedy, idle);
      await eventually('the eviction of what is done', () => !has('projects/busy'));
      assert.equal(String(await store.read(outcome.snapshot, 'b.txt')), 'new\n');
    }));

  it('gets everything again that was evicted between two steps, and says what is gone', () =>
    withCache(async ({ open, spec, has, root, dir }) => {
      const node = await open({ cacheBytes: 0 });
      const warmth = new Warmth();
      const evicted: EvictedThings[] = [];
      node.onBeat((beat) => {
        if (!beat.evicted) return;
        evicted.push(beat.evicted);
        warmth.forget('small', beat.evicted);
      });
      const install = `echo ran >> ${dir}/installs; mkdir -p modules; echo module > modules/m`;
      const step = await spec('cat a.txt modules/m', { layers: [layer(install)] });
      for (let round = 1; round <= 2; round += 1) {
        assert.equal((await runStep(node, step)).log.split('\n').slice(-3).join('\n'), 'a\nmodule\n');
        warmth.note('small', step);
        assert.equal(warmth.of('small', step), 0.75);
        const isEmpty = (): boolean => !has('projects/sample') && readdirSync(join(root, 'layers')).length === 0;
        await eventually('the eviction of everything', isEmpty);
        await eventually('the node says so', () => warmth.of('small', step) === 0);
      }
      assert.equal(await readFile(join(dir, 'installs'), 'utf8'), 'ran\nran\n');
      assert.deepEqual(evicted.at(-1), { projects: ['sample'], layers: ['a'.repeat(64)] });
    }));

  it('copies a layer that stayed into a slot that did not, and keeps it in a slot that did', () =>
    withCache(async ({ open, spec, root, dir }) => {
      const node = await open();
      const install = `echo ran >> ${dir}/installs; mkdir -p modules; echo module > modules/m`;
      const step = await spec('cat modules/m', { layers: [layer(install)] });
      const installs = async (): Promise<number> => (await readFile(join(dir, 'installs'), 'utf8')).length / 4;
      await runStep(node, step);
      const [key] = readdirSync(join(root, 'layers'));
      // An agent died in the middle of throwing the slot away.
      symlinkSync('agent.4194305', join(root, `${checkoutOf('sample')}.claim`));
      rmSync(join(root, checkoutOf('sample')), { recursive: true });
      assert.equal((await runStep(node, step)).log, 'module\n');
      assert.equal(await installs(), 1);
      rmSync(join(root, 'layers', key!), { recursive: true });
      assert.equal((await runStep(node, step)).log, 'module\n', 'the slot has its own');
      assert.equal((await runStep(node, await spec('ls', { snapshot: step.snapshot }))).log, 'a.txt\n');
      assert.equal((await runStep(node, step)).log, 'module\n', 'parked in the slot meanwhile');
      assert.equal(await installs(), 1);
    }));

  it('sends whole what was to build on a snapshot that is gone when the pack arrives', () =>
    withCache(async ({ open, snapshot, spec, store, root, dir, has: hasPath }) => {
      let onOffer = async (): Promise<void> => {};
      const contents = store.contents.bind(store);
      store.contents = async (id) => {
        const found = await contents(id);
        await onOffer();
        return found;
      };
      const node = await open({ cacheBytes: 0 });
      const files = { 'a.txt': 'a\n'.repeat(5000), 'b.txt': 'b\n'.repeat(5000) };
      const first = await spec('wc -l < a.txt', { snapshot: await snapshot(files) });
      const second = await spec('wc -l < a.txt', { snapshot: await snapshot({ ...files, 'b.txt': 'other\n' }) });
      // Held by a result that nobody collects, or all would be evicted before the second step.
      const held = start(node, first);
      await held.outcome;

      // Between the offer and the pack the node's own eviction leaves the store alone.
      let offers = 0;
      onOffer = async () => {
        if ((offers += 1) > 1) return;
        await node.release(held.id);
        await sleep(2500);
        assert.ok(hasPath(storeOf('sample')), 'a step has come for it');
        // Somebody else does not.
        renameSync(join(root, 'projects/sample'), join(dir, 'gone'));
      };
      const running = start(node, second);
      assert.equal((await running.outcome).exitCode, 0);
      assert.equal(running.log(), '5000\n');
      assert.ok(offers > 0 && hasPath(storeOf('sample')), 'it was sent anew');
      await node.release(running.id);
    }));

  it('gets a snapshot again whose objects are damaged in its store', () =>
    withCache(async ({ open, spec, snapshot, root }) => {
      const node = await open();
      const step = await spec('cat a.txt');
      await runStep(node, step);
      await runStep(node, await spec('true', { snapshot: await snapshot({ 'b.txt': 'b\n' }) }));
      const objects = join(root, storeOf('sample'), 'objects');
      for (const name of readdirSync(objects).filter((one) => one.length === 2)) rmSync(join(objects, name), { recursive: true }); // prettier-ignore
      assert.equal((await runStep(node, step)).log, 'a\n');
    }));

  it('never takes the controller’s own stores for a cache', () =>
    withCache(async ({ open, root, has }) => {
      // Where the controller has them on its own machine.
      const own = await openStore(join(root, storeOf('sample')));
      const tree = execFileSync('git', ['mktree'], { cwd: own.dir, input: '' }).toString().trim();
      const id = execFileSync('git', ['mktree'], { cwd: own.dir, input: `040000 tree ${tree}\troot\n` });
      const node = await open({ shareStores: true, stores: async () => own, cacheBytes: 0 });
      const step: StepSpec = {
        ...(await withProject(({ spec }) => spec('echo b > b.txt'))),
        snapshot: id.toString().trim(),
      };
      const { snapshot } = await runStep(node, step);
      await eventually('the eviction of the checkout', () => !has(checkoutOf('sample')));
      await sleep(1500);
      assert.ok(await (await openStore(own.dir)).has(snapshot));
      assert.equal((await runStep(node, { ...step, snapshot, command: { shell: 'cat b.txt', cwd: '.' } })).log, 'b\n');
    }));

  it('knows after a restart how large it is and what was used last, and removes what was left half removed', () =>
    withCache(async ({ open, cachingStep, root, has }) => {
      const first = await open();
      await runStep(first, await cachingStep('one', fill(2)));
      await eventually('it was measured', async () => (await first.probe()).cache!.bytes > 2 * mebibyte);
      await first.close();
      await eventually('it was written down', () => has('cache.json'));
      for (const path of [
        'projects/.removed-x',
        'projects/one/slots/.removed-0',
        'layers/.removed-y',
        `layers/${'b'.repeat(64)}.new`,
      ])
        // prettier-ignore
        mkdirSync(join(root, path, 'deep'), { recursive: true });
      const second = await open({ cacheBytes: 1 });
      assert.ok(second.facts.cache!.bytes > 2 * mebibyte);
      const left = (): string[] =>
        ['projects', 'layers'].flatMap((name) => readdirSync(join(root, name))).filter((name) => name !== 'one');
      await eventually('what was left is gone', () => left().length === 0);
      await eventually('it is within its limit', () => !has('projects/one'));
    }));

  it('is limited on a machine that is reached by SSH, too, and evicted there between two steps', () =>
    withProject(({ dir, stores, spec }) =>
      withSshd(
        async (sshd) => {
          const hostKey = { kind: 'known-hosts' as const, file: await sshd.knownHosts() };
          const common = { name: 'machine', cacheDir: join(dir, 'cache'), stores, timing };
          const node = await openSshNode({ ...common, ssh: sshd.target, hostKey, cacheBytes: 4096 });
          try {
            assert.equal(node.facts.cache!.limitBytes, 4096);
            const step = await spec('cat a.txt');
            for (let round = 1; round <= 2; round += 1) {
              assert.equal((await runStep(node, step)).log, 'a\n');
              await eventually('the eviction', () => !existsSync(join(sshd.home, '.helix/projects/sample')));
            }
          } finally {
            await node.close();
          }
        },
        { path: pathWith(dir, [...systemPrograms, 'git', 'node']) },
      ),
    ));

  it('gives way before the disk is full', () =>
    withCache(async ({ open, cachingStep, root, has }) => {
      const node = await open();
      await runStep(node, await cachingStep('old', fill(16)));
      leaveFree(root, 4 * mebibyte);
      await sleep(1500);
      assert.ok(has(`${checkoutOf('old')}/cache/big`), 'it was used a moment ago, and there is some space');
      leaveFree(root, mebibyte);
      await eventually('the eviction', () => !has(checkoutOf('old')));
      const result = await runStep(node, await cachingStep('new', `${fill(8)}; echo made`));
      assert.equal(result.log, 'made\n');
    }, 64 * mebibyte));

  it('lets no step see what a command left whose end nobody saw', () =>
    withCache(async ({ open, cachingStep }) => {
      const first = await open();
      const step = await cachingStep('sample', 'mkdir cache; echo half > cache/index; echo up; sleep 600');
      const running = start(first, step);
      await running.says('up');
      running.control.abort(DETACH);
      await first.close();
      const second = await open();
      await second.release(running.id);
      const next = await cachingStep('sample', 'ls -A', { snapshot: step.snapshot });
      assert.equal((await runStep(second, next)).log, '.gitignore\na.txt\n');
    }));

  it('lets no step see what another one left on a full disk', () =>
    withCache(async ({ open, cachingStep, spec, snapshot, root, has }) => {
      const node = await open();
      const first = await cachingStep('sample', `${fill(1)}; echo small > cache/index`);
      await runStep(node, first);
      const fillUp = `head -c ${100 * mebibyte} /dev/zero > cache/index`;
      const see = { snapshot: first.snapshot };
      const expectNew = async (): Promise<void> => {
        assert.ok(!has(checkoutOf('sample')));
        const left = (): string[] => readdirSync(join(root, 'projects/sample/slots'));
        await eventually('it is gone from the disk', () => !left().some((name) => name.includes('removed')));
        const next = await cachingStep('sample', 'ls -A', see);
        assert.equal((await runStep(node, next)).log, '.gitignore\na.txt\n');
      };
      // There is room for the result of the first.
      const spare = `mkdir -p cache; head -c 600000 /dev/zero > cache/spare; ${fillUp}; rm cache/spare; echo end`;
      const ended = start(node, await cachingStep('sample', spare, see));
      assert.equal((await ended.outcome).exitCode, 0);
      assert.match(ended.log(), /end\n$/);
      await expectNew();
      await node.release(ended.id);
      // There is none for that of the second; and then the disk is free again.
      leaveFree(root, 4 * mebibyte);
      const made = 'head -c 300000 /dev/urandom > made; mkdir cache';
      const broken = start(node, await cachingStep('sample', `${made}; ${fillUp}`, see));
      await assert.rejects(broken.outcome, { code: 'node.disk-full' });
      assert.ok(has(`${checkoutOf('sample')}/cache/index`), 'kept for whoever asks for it again');
      rmSync(join(root, fillerName));
      await node.release(broken.id);
      await expectNew();

      // Nor where there was room for the snapshot and none for its checkout.
      const big = randomBytes(3 * mebibyte)
        .toString('base64')
        .slice(0, 3 * mebibyte);
      const large = await spec('wc -c < big', { snapshot: await snapshot({ big }), project: 'other' });
      leaveFree(root, 4.5 * mebibyte);
      await assert.rejects(runStep(node, large), { code: 'node.disk-full' });
      rmSync(join(root, fillerName));
      assert.equal((await runStep(node, large)).log, `${3 * mebibyte}\n`);
    }, 24 * mebibyte));
});
