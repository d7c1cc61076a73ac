import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ConditionJudge } from '../../fleet/health/conditions.ts';
import { type FleetNode, openSshNode } from '../../fleet/node.ts';
import { type Direction, partition } from '../support/partition.ts';
import { withMemoryLimit } from '../support/memory-limit.ts';
import { withNetwork } from '../support/network.ts';
import { slowProxy } from '../support/slow-proxy.ts';
import { type Sshd, type SshdOptions, withSshd } from '../support/sshd.ts';
import { eventually } from '../support/eventually.ts';
import { expectNoExecutions, type Project, quickTiming, runStep, start, withProject } from './project-fixture.ts';

/** Patient enough for the faults here, with leases that outlive them. */
const timing = { ...quickTiming, pingTimeoutMs: 1000, leaseSeconds: 20, sampleMs: 200 };

/** Bytes. */
const limit = 512 * 1024 * 1024;

interface Machine extends Project {
  sshd: Sshd;
  node: FleetNode;
}

async function withMachine(
  use: (machine: Machine) => Promise<void>,
  { through, ...options }: SshdOptions & { through?: (sshd: Sshd) => Promise<number> } = {},
): Promise<void> {
  await withProject((project) =>
    withSshd(async (sshd) => {
      const node = await openSshNode({
        name: 'machine',
        ssh: { ...sshd.target, port: (await through?.(sshd)) ?? sshd.target.port },
        hostKey: { kind: 'pinned', sha256: await sshd.hostKey() },
        cacheDir: join(project.dir, 'cache'),
        stores: project.stores,
        timing,
      });
      try {
        await use({ ...project, sshd, node });
        await expectNoExecutions(join(sshd.home, '.helix'));
      } finally {
        await node.close();
      }
    }, options),
  );
}

/** Runs a step whose connection is lost for a while in the middle, and checks that it ran once and that no line of its log is missing or doubled. */
async function survive({ node, spec, dir }: Machine, fault: () => void, heal: () => void): Promise<void> {
  const marks = join(dir, 'marks');
  const states: string[] = [];
  const stop = node.onStateChange(({ state }) => states.push(state));
  const count = 'i=0; while [ $i -lt 30 ]; do i=$((i+1)); echo line $i; sleep 0.1; done';
  const running = start(node, await spec(`echo ran >> ${marks}; ${count}`));
  await running.says('line 5\n');
  fault();
  try {
    await eventually('the loss is noticed', () => states.includes('lost'));
  } finally {
    heal();
  }
  assert.equal((await running.outcome).exitCode, 0);
  assert.equal(running.log(), Array.from({ length: 30 }, (_, index) => `line ${index + 1}\n`).join(''));
  assert.equal(await readFile(marks, 'utf8'), 'ran\n', 'it ran once');
  await eventually('the node is back', () => states.at(-1) === 'connected');
  stop();
  await node.release(running.id);
}

describe('what happens to machines', () => {
  const partitions: [Direction, string][] = [
    ['both', 'in both directions'],
    ['to', 'to the machine'],
    ['from', 'from the machine'],
  ];
  for (const [direction, words] of partitions) {
    it(`a network that loses everything ${words} for a while costs a step nothing`, () =>
      withMachine(async (machine) => {
        let heal = (): void => {};
        await survive(
          machine,
          () => (heal = partition(machine.sshd.target.port, direction)),
          () => heal(),
        );
      }));
  }

  it('a network cable that is pulled for a while costs a step nothing', () =>
    withNetwork((network) => withMachine((machine) => survive(machine, network.cut, network.mend), network.options)));

  it('a control group that limits memory counts as the memory there is, and a step that wants more fails alone', () =>
    withMemoryLimit(limit, (options) =>
      withMachine(async ({ node, spec }) => {
        assert.equal(node.facts.memory, limit);
        const hungry = `${process.execPath} -e 'for (const all = []; ; ) all.push(Buffer.alloc(1 << 24, 1))'`;
        const beside = start(node, await spec('sleep 3; echo done'));
        const ended = await runStep(node, await spec(`${hungry}; echo "ended with $?"; exit 3`));
        assert.deepEqual([ended.end, ended.exitCode], ['exited', 3]);
        assert.match(ended.log, /ended with 137/);
        assert.equal((await beside.outcome).exitCode, 0);
        await node.release(beside.id);
      }, options),
    ));

  it('a machine that answers byte by byte counts as lost, and is gone on with when it is quick again', async () => {
    const proxies: Awaited<ReturnType<typeof slowProxy>>[] = [];
    const through = async (sshd: Sshd): Promise<number> => {
      proxies.push(await slowProxy(sshd.target.port));
      return proxies[0]!.port;
    };
    await withMachine(
      async (machine) => {
        const [proxy] = proxies;
        await survive(
          machine,
          () => (proxy!.delayMs = 100),
          () => (proxy!.delayMs = 0),
        );
        await machine.node.close();
        await proxy!.close();
      },
      { through },
    );
  });

  it('a clock that is hours ahead ends nothing early, and is said', () =>
    withMachine(
      async ({ node, spec }) => {
        const { outcome, id, log } = start(node, await spec('date +%s; sleep 2; echo done', { timeoutMs: 60_000 }));
        const { clockOffsetMs, latencyMs } = await node.beat();
        assert.ok(Math.abs(clockOffsetMs - 5 * 3_600_000) < 5_000 + latencyMs, `${clockOffsetMs} ms`);
        const judge = new ConditionJudge();
        const size = { cpus: 1024, slots: 1024, memory: 1 };
        let condition = judge.look(await node.beat(), size);
        for (let look = 1; look < 3; look += 1) condition = judge.look(await node.beat(), size);
        assert.match(condition.reason!, /clock off: 5\.0 hours fast/);
        assert.deepEqual([(await outcome).end, (await outcome).exitCode], ['exited', 0]);
        assert.match(log(), /done/);
        await node.release(id);
      },
      {
        bashrc:
          "export LD_PRELOAD=$(echo /usr/lib/*/faketime/libfaketime.so.1) FAKETIME='+5h' FAKETIME_DONT_FAKE_MONOTONIC=1\n",
      },
    ));

  it('a node that belongs to another node-pool by now refuses work from the one before', () =>
    withMachine(async ({ node, sshd, stores, dir, spec }) => {
      const open = async (epoch: number) =>
        openSshNode({
          name: 'machine',
          ssh: sshd.target,
          hostKey: { kind: 'pinned', sha256: await sshd.hostKey() },
          cacheDir: join(dir, 'cache'),
          stores,
          timing,
          tenure: { registration: 'a-registration', epoch },
        });
      const [first, second] = [await open(1), await open(2)];
      try {
        await assert.rejects(start(first, await spec('echo late')).outcome, {
          code: 'node.lost',
          message: /another node-pool/,
        });
        assert.equal((await runStep(second, await spec('echo on time'))).log, 'on time\n');
        assert.equal(
          (await runStep(node, await spec('echo other'))).log,
          'other\n',
          'whoever has no tenure is not concerned',
        );
      } finally {
        await Promise.all([first.close(), second.close()]);
      }
    }));
});
