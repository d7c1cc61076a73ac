import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync, readdirSync } from 'node:fs';
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { createServer, connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openLocalNode, openSshNode, type FleetNode, type SshNodeOptions } from '../../fleet/node.ts';
import { pathWith, systemPrograms } from '../support/few-programs.ts';
import { withSshd, type Sshd, type SshdOptions } from '../support/sshd.ts';
import { expectNoExecutions, quickTiming, runStep, start, withProject, type Project } from './project-fixture.ts';
import { eventually } from '../support/eventually.ts';

interface Remote extends Project {
  sshd: Sshd;
  open(more?: Partial<SshNodeOptions>): ReturnType<typeof openSshNode>;
}

/**
 * A machine with few programs, which are quickly asked for their versions, and a controller that knows its host key.
 * Fails when an execution or a process is left on the machine.
 */
async function withMachine(
  use: (remote: Remote) => Promise<void>,
  { programs = [...systemPrograms, 'git', 'node'], ...options }: SshdOptions & { programs?: string[] } = {},
): Promise<void> {
  const opened: FleetNode[] = [];
  await withProject((project) =>
    withSshd(
      async (sshd) => {
        const open = async (more: Partial<SshNodeOptions> = {}): ReturnType<typeof openSshNode> => {
          const hostKey = { kind: 'known-hosts' as const, file: await sshd.knownHosts() };
          const common = {
            name: 'machine',
            ssh: sshd.target,
            hostKey,
            cacheDir,
            stores: project.stores,
            timing: quickTiming,
          };
          const node = await openSshNode({ ...common, ...more });
          opened.push(node);
          return node;
        };
        try {
          await use({ ...project, sshd, open });
          if (opened.length > 0) await expectNoExecutions(join(sshd.home, '.helix'));
        } finally {
          await Promise.all(opened.map((node) => node.close()));
        }
      },
      { path: pathWith(project.dir, programs), ...options },
    ),
  );
}

let cacheDir: string;

describe('an SSH node', () => {
  before(async () => {
    cacheDir = await mkdtemp(join(tmpdir(), 'helix-test-'));
  });
  after(() => rm(cacheDir, { recursive: true }));

  it('gives the same snapshots as the local node, and sends only what is missing', () =>
    withMachine(async ({ open, dir, stores, store, snapshot, spec, sshd }) => {
      const big = Object.fromEntries(
        Array.from({ length: 300 }, (_, i) => [`d${i % 7}/f${i}.txt`, `${i} ${Math.random()}\n`.repeat(50)]),
      );
      const first = await snapshot(big);
      const second = await snapshot({ ...big, 'd0/f0.txt': 'changed\n' });
      const shell =
        'wc -l < d0/f0.txt; mkdir -p out; echo made > out/made; echo new > new.txt; mkdir empty; chmod +x d1/f1.txt';
      const proxy = await countingProxy(sshd.target.port);
      const ssh = { ...sshd.target, port: proxy.port };
      const remote = await open({ ssh, hostKey: { kind: 'fingerprint', sha256: await sshd.hostKey() } });
      const local = await openLocalNode({
        name: 'local',
        root: join(dir, 'node'),
        stores,
        timing: quickTiming,
        shareStores: false,
      });
      for (const id of [first, second]) {
        const step = await spec(shell, { snapshot: id, outputs: ['out'] });
        const before = proxy.bytes();
        const [there, here] = [await runStep(remote, step), await runStep(local, step)];
        assert.deepEqual([there.snapshot, there.outputs, there.log], [here.snapshot, here.outputs, here.log]);
        assert.ok(await store.has(there.snapshot));
        assert.ok(await store.has(there.outputs!));
        if (id === second)
          assert.ok(proxy.bytes() - before < 20_000, `${proxy.bytes() - before} bytes for one changed file`);
      }
      await local.close();
      await remote.close();
      await proxy.close();
    }));

  it('delivers 200,000 lines to the byte across five disconnections', () =>
    withMachine(async ({ open, spec, sshd }) => {
      const node = await open();
      const shell = 'i=0; while [ $i -lt 40 ]; do seq $((i*5000+1)) $((i*5000+5000)); i=$((i+1)); sleep 0.05; done';
      let cuts = 0;
      const running = start(node, await spec(shell), {
        onLog: (_chunk, offset) => {
          if (cuts < 5 && offset > cuts * 200_000) {
            cuts += 1;
            sshd.killConnections();
          }
        },
      });
      assert.equal((await running.outcome).exitCode, 0);
      assert.equal(running.log(), `${Array.from({ length: 200_000 }, (_, i) => i + 1).join('\n')}\n`);
      assert.equal(cuts, 5);
      await node.release(running.id);
    }));

  it('keeps a command running while the server is away, and reports when it is lost and back', () =>
    withMachine(async ({ open, spec, sshd }) => {
      const node = await open();
      const states: string[] = [];
      node.onStateChange(({ state }) => states.push(state));
      const running = start(node, await spec('echo begun; sleep 1; echo ended'));
      await running.says('begun');
      await sshd.stop();
      await eventually('the loss', () => states.includes('lost'));
      await sshd.start();
      assert.equal((await running.outcome).exitCode, 0);
      assert.equal(running.log(), 'begun\nended\n');
      assert.deepEqual(states, ['lost', 'connected']);
      await node.release(running.id);
    }));

  it('notices a machine that hangs within ten seconds, and gives the step up', () =>
    withMachine(async ({ open, spec, sshd }) => {
      const node = await open({ timing: { ...quickTiming, leaseSeconds: 20, patienceMs: 500 } });
      const running = start(node, await spec('sleep 8'));
      await running.started;
      const frozen = performance.now();
      const noticed = new Promise<void>((resolve) => void node.onStateChange(() => resolve()));
      sshd.freeze();
      await noticed;
      assert.ok(performance.now() - frozen < 10_000);
      await assert.rejects(running.outcome, { code: 'node.lost' });
      const back = new Promise<void>((resolve) => void node.onStateChange(() => resolve()));
      sshd.thaw();
      await back;
      const again = start(node, await spec('true'), { executionId: running.id, attachOnly: true });
      again.control.abort(new Error('enough'));
      assert.equal((await again.outcome).end, 'cancelled');
      await node.release(running.id);
    }));

  it('goes on for another controller after everything of the first has gone', () =>
    withMachine(async ({ open, spec, sshd, dir }) => {
      const first = await open();
      const go = join(dir, 'go');
      const step = await spec(`echo one; until [ -e ${go} ]; do sleep 0.05; done; echo two > made.txt; echo two`);
      const running = start(first, step);
      await running.says('one');
      sshd.killConnections();
      await first.close();
      await assert.rejects(running.outcome, { code: 'node.lost' });
      await writeFile(go, '');
      const second = await open();
      const resumed = start(second, step, { executionId: running.id });
      assert.equal((await resumed.outcome).exitCode, 0);
      assert.equal(resumed.log(), 'one\ntwo\n');
      await second.release(running.id);
    }));

  it('lets a second controller take an execution over, and the first does not take it back', () =>
    withMachine(async ({ open, spec, dir }) => {
      const [first, second] = [await open(), await open()];
      const go = join(dir, 'go');
      const step = await spec(`echo one; until [ -e ${go} ]; do sleep 0.05; done; echo two`);
      const running = start(first, step);
      await running.says('one');
      const taken = start(second, step, { executionId: running.id });
      await assert.rejects(running.outcome, { code: 'node.lost', message: /taken over/ });
      await writeFile(go, '');
      assert.equal((await taken.outcome).exitCode, 0);
      assert.equal(taken.log(), 'one\ntwo\n');
      await second.release(running.id);
    }));

  it('does not mind start-up files that print', () =>
    withMachine(
      async ({ open, spec }) => {
        const node = await open();
        assert.equal((await runStep(node, await spec('echo quiet'))).log, 'quiet\n');
      },
      { bashrc: 'echo welcome; echo to this machine >&2\nprintf "no newline"' },
    ));

  it('brings its own Node to a machine that has none', () =>
    withMachine(
      async ({ open, spec, sshd }) => {
        const node = await open();
        assert.equal((await runStep(node, await spec('echo runs'))).log, 'runs\n');
        assert.ok(readdirSync(join(sshd.home, '.helix/bin')).some((name) => name.startsWith('node-')));
        assert.equal(node.facts.tools.node, undefined);
      },
      { programs: [...systemPrograms, 'git'] },
    ));

  it('refuses a machine without git, naming what to do', () =>
    withMachine(
      async ({ open, sshd }) => {
        await assert.rejects(open(), { code: 'node.unsuitable', message: /no git on machine .*install git/ });
        await eventually('the agent’s end', () => sshd.processes().length === 0);
      },
      { programs: [...systemPrograms, 'node'] },
    ));

  it('refuses a root that cannot be written', () =>
    withMachine(async ({ open, sshd }) => {
      await writeFile(join(sshd.home, 'occupied'), '');
      await assert.rejects(open({ ssh: { ...sshd.target, root: '~/occupied/below' } }), {
        code: 'node.unsuitable',
        message: /cannot be written/,
      });
    }));

  it('accepts the host key by known hosts or fingerprint, and pins a new one', () =>
    withMachine(async ({ open, sshd }) => {
      const sha256 = await sshd.hostKey();
      for (const hostKey of [{ kind: 'fingerprint' as const, sha256 }, { kind: 'accept-new' as const }]) {
        const node = await open({ hostKey });
        assert.equal(node.hostKey, sha256);
        await node.close();
      }
    }));

  it('refuses an unknown or changed host key before it shows its own key', () =>
    withMachine(async ({ open, sshd, dir }) => {
      const old = await sshd.hostKey();
      const known = await readFile(await sshd.knownHosts(), 'utf8');
      const file = join(dir, 'known_hosts');
      await writeFile(file, '');
      await assert.rejects(open({ hostKey: { kind: 'known-hosts', file } }), {
        code: 'node.host-key',
        message: new RegExp(`offered ${escape(old)}`),
      });
      await writeFile(file, known.replace(/^/, '@revoked '));
      await assert.rejects(open({ hostKey: { kind: 'known-hosts', file } }), {
        code: 'node.host-key',
        message: /revoked/,
      });
      await sshd.stop();
      await sshd.start({ newHostKey: true });
      await writeFile(file, known);
      const changed = new RegExp(`expected ${escape(old)}, offered ${escape(await sshd.hostKey())}`);
      // A key file that does not exist would be the first thing to fail on if authentication came before.
      for (const hostKey of [
        { kind: 'known-hosts' as const, file },
        { kind: 'fingerprint' as const, sha256: old },
        { kind: 'pinned' as const, sha256: old },
      ]) {
        await assert.rejects(open({ hostKey }), { code: 'node.host-key', message: changed });
      }
    }));

  it('goes back to a machine only if it still has the key it was accepted with', () =>
    withMachine(async ({ open, spec, sshd }) => {
      const node = await open({ hostKey: { kind: 'accept-new' }, timing: { ...quickTiming, patienceMs: 1500 } });
      await sshd.stop();
      await sshd.start({ newHostKey: true });
      await assert.rejects(runStep(node, await spec('true')), { code: 'node.lost', message: /host key/ });
    }));

  it('says what is wrong with a key file', () =>
    withMachine(async ({ open, sshd, dir }) => {
      const locked = join(dir, 'locked');
      execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', 'passphrase', '-f', locked]);
      await assert.rejects(open({ ssh: { ...sshd.target, keyFile: locked } }), {
        code: 'node.authentication',
        message: /protected by a passphrase.*ssh-add/,
      });
      const other = join(dir, 'other');
      execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', other]);
      await assert.rejects(open({ ssh: { ...sshd.target, keyFile: other } }), {
        code: 'node.authentication',
        message: /accepted none of the keys/,
      });
      await assert.rejects(open({ ssh: { ...sshd.target, keyFile: join(dir, 'missing') } }), {
        code: 'node.authentication',
        message: /cannot be read/,
      });
      await sshd.stop();
      await assert.rejects(open(), { code: 'node.unreachable', message: /cannot be reached/ });
    }));

  it('connects many at once to a server that drops most of them', () =>
    withMachine(
      async ({ open, spec }) => {
        const nodes = await Promise.all(Array.from({ length: 6 }, (_, i) => open({ name: `n${i}` })));
        const results = await Promise.all(nodes.map(async (node) => runStep(node, await spec('echo ok'))));
        assert.ok(results.every(({ log }) => log === 'ok\n'));
      },
      { config: ['MaxStartups 2:60:4'] },
    ));

  it('names the node and the folder when the disk is full', () =>
    withMachine(async ({ open, spec, sshd }) => {
      const root = join(sshd.home, 'small');
      mkdirSync(root);
      chmodSync(root, 0o700);
      execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=6m', 'tmpfs', root]);
      try {
        const node = await open({ ssh: { ...sshd.target, root } });
        const step = await spec('head -c 20000000 /dev/urandom > big; echo code $?');
        const running = start(node, step);
        await assert.rejects(
          running.outcome,
          (error: Error & { code: string }) =>
            error.code === 'node.disk-full' && error.message.includes('machine') && error.message.includes(root),
        );
        await node.release(running.id);
        await node.close();
        await eventually('the end of the machine’s processes', () => sshd.processes().length === 0);
        await stat(root);
      } finally {
        execFileSync('umount', ['-l', root]);
      }
      mkdirSync(join(sshd.home, '.helix/executions'), { recursive: true });
    }));
});

function escape(text: string): string {
  return text.replace(/[/+]/g, '\\$&');
}

/** A TCP proxy that counts what the controller sends and gets. */
async function countingProxy(target: number): Promise<{ port: number; bytes(): number; close(): Promise<void> }> {
  let bytes = 0;
  const sockets = new Set<Socket>();
  const server = createServer((near) => {
    const far = connect(target, '127.0.0.1');
    for (const socket of [near, far]) {
      sockets.add(socket.setNoDelay(true));
      socket.on('data', (chunk) => (bytes += chunk.length));
      socket.on('error', () => {});
    }
    near.pipe(far).pipe(near);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as { port: number };
  const close = (): Promise<void> => {
    for (const socket of sockets) socket.destroy();
    return new Promise((resolve) => server.close(() => resolve()));
  };
  return { port, bytes: () => bytes, close };
}
