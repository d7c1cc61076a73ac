import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Layer } from '../../contracts/step.ts';
import { detectLoginEnvironment, stepEnvironment } from '../../fleet/agent/environment.ts';
import { DETACH, openLocalNode, type FleetNode, type LocalNodeOptions } from '../../fleet/node.ts';
import { type Kept, keepOpen } from '../support/keep-open.ts';
import {
  expectNoExecutions,
  newExecutionId,
  quickTiming,
  runStep,
  start,
  withProject,
  type Project,
} from './project-fixture.ts';
import { eventually } from '../support/eventually.ts';

interface Local extends Project {
  root: string;
  node: FleetNode;
  open(more?: Partial<LocalNodeOptions>): Promise<FleetNode>;
}

/** One node for all tests here; each has to leave it without an execution. */
let local: Local;

function withLocalNode(use: (local: Local) => Promise<void>): Promise<void> {
  return use(local).then(() => expectNoExecutions(local.root));
}

/** Lends the node, and fails when a process is left. */
function lendNode(use: (lent: Local) => Promise<void>): Promise<void> {
  return withProject(async (project) => {
    const root = join(project.dir, 'node');
    const open = (more: Partial<LocalNodeOptions> = {}): Promise<FleetNode> =>
      openLocalNode({ name: 'local', root, stores: project.stores, timing: quickTiming, ...more });
    const node = await open();
    await use({ ...project, root, node, open });
    await node.close();
    await eventually('the end of every process of the node', () => processesNaming(root).length === 0);
  });
}

function processesNaming(text: string): number[] {
  const pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
  return pids.filter((pid) => readProc(pid, 'cmdline').includes(text)).map(Number);
}

function processesMarked(executionId: string): string[] {
  const pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
  const marker = new RegExp(`^HELIX_RUN=.*/${executionId}/`);
  return pids.filter((pid) =>
    readProc(pid, 'environ')
      .split('\0')
      .some((entry) => marker.test(entry)),
  );
}

function readProc(pid: string, file: string): string {
  try {
    return readFileSync(`/proc/${pid}/${file}`, 'latin1');
  } catch {
    return '';
  }
}

function agentOf(root: string): number {
  return processesNaming(root).find((pid) => readProc(String(pid), 'cmdline').includes('\0serve\0'))!;
}

const layer = (install: string, key = 'a'): Layer => ({
  name: 'modules',
  key: key.repeat(64),
  install: { shell: install, cwd: '.' },
  paths: ['modules'],
  env: { PATH: 'modules/bin', FROM_LAYER: 'yes' },
});

describe('the local node', () => {
  let kept: Kept<Local>;
  before(async () => {
    kept = await keepOpen(lendNode);
    local = kept.resource;
  });
  after(() => kept.giveBack());

  it('runs a command on a snapshot and gives the workspace after it', () =>
    withLocalNode(async ({ node, spec, store, root }) => {
      const result = await runStep(node, await spec('cat a.txt; echo b > b.txt; exit 3'));
      assert.equal(result.end, 'exited');
      assert.equal(result.exitCode, 3);
      assert.equal(result.log, 'a\n');
      assert.deepEqual(
        (await store.list(result.snapshot)).map(({ path }) => path),
        ['a.txt', 'b.txt'],
      );
      assert.ok(!existsSync(join(root, 'projects/sample/store')), 'the controller’s store is shared');
    }));

  it('gives the command an allow-list of variables and nothing of the controller', () =>
    withLocalNode(async ({ spec, open }) => {
      process.env.HELIX_TEST_SECRET = 'secret';
      const node = await open();
      const { log } = await runStep(node, await spec('env', { env: { OWN: 'own' } }));
      await node.close();
      delete process.env.HELIX_TEST_SECRET;
      const names = log
        .trim()
        .split('\n')
        .map((line) => line.split('=')[0]!);
      const login = await detectLoginEnvironment();
      const given = stepEnvironment(login, '/workspace', '/scratch', [], { OWN: 'own' });
      const others = ['HELIX_RUN', 'PWD', 'OLDPWD', 'SHLVL', '_'];
      assert.deepEqual(
        names.filter((name) => !(name in given) && !others.includes(name)),
        [],
      );
      assert.ok(names.includes('OWN') && names.includes('TMPDIR'));
    }));

  it('moves a slot exactly: what one step made is not there for the next', () =>
    withLocalNode(async ({ node, spec }) => {
      const first = await spec('echo x > extra.txt; echo changed > a.txt; mkdir out; echo o > out/o', {
        outputs: ['out'],
      });
      const made = await runStep(node, first);
      const again = await runStep(node, await spec('cat a.txt; ls', { snapshot: first.snapshot }));
      assert.equal(again.log, 'a\na.txt\n');
      const fed = await runStep(node, await spec('cat out/o', { snapshot: first.snapshot, inputs: [made.outputs!] }));
      assert.equal(fed.log, 'o\n');
    }));

  it('sees the smallest change after steps that changed nothing', () =>
    withLocalNode(async ({ node, spec, store }) => {
      const idle = await spec('true');
      await runStep(node, idle);
      // Only what has been at rest for two seconds is taken for unchanged without asking git.
      await sleep(2100);
      for (let i = 0; i < 3; i += 1) assert.equal((await runStep(node, idle)).snapshot, idle.snapshot);
      const changed = await runStep(
        node,
        await spec('printf b | dd of=a.txt conv=notrunc 2> /dev/null', { snapshot: idle.snapshot }),
      );
      assert.equal(String(await store.read(changed.snapshot, 'a.txt')), 'b\n');
      assert.equal((await runStep(node, await spec('cat a.txt', { snapshot: idle.snapshot }))).log, 'a\n');
      assert.equal((await runStep(node, await spec('cat a.txt', { snapshot: changed.snapshot }))).log, 'b\n');
    }));

  it('never runs the same execution twice', () =>
    withLocalNode(async ({ node, spec, dir }) => {
      const step = await spec(`echo ran >> ${dir}/count; echo done`);
      const first = start(node, step);
      const same = start(node, step, { executionId: first.id });
      const outcome = await first.outcome;
      assert.deepEqual(await same.outcome, outcome);
      const later = start(node, step, { executionId: first.id, logOffset: 2 });
      assert.deepEqual(await later.outcome, outcome);
      assert.equal(later.log(), 'ne\n');
      assert.equal(await readFile(join(dir, 'count'), 'utf8'), 'ran\n');
      await node.release(first.id);
      await node.release(first.id);
      await assert.rejects(start(node, step, { executionId: first.id, attachOnly: true }).outcome, {
        code: 'step.not-found',
      });
    }));

  it('goes on without a line lost when its agent is killed, again and again', () =>
    withLocalNode(async ({ node, spec, root }) => {
      const running = start(
        node,
        await spec('i=0; while [ $i -lt 60 ]; do echo line $i; i=$((i+1)); sleep 0.02; done'),
      );
      for (const line of [10, 30, 50]) {
        await running.says(`line ${line}\n`);
        process.kill(agentOf(root), 'SIGKILL');
      }
      assert.equal((await running.outcome).exitCode, 0);
      assert.equal(running.log(), Array.from({ length: 60 }, (_, i) => `line ${i}\n`).join(''));
      await node.release(running.id);
    }));

  it('lets go of a command and is picked up by another controller', () =>
    withLocalNode(async ({ spec, open, dir }) => {
      const node = await open();
      const go = join(dir, 'go');
      const step = await spec(`echo one; until [ -e ${go} ]; do sleep 0.05; done; echo two`);
      const running = start(node, step);
      await running.says('one');
      running.control.abort(DETACH);
      await assert.rejects(running.outcome, DETACH);
      await node.close();
      await writeFile(go, '');
      const next = await open();
      const resumed = start(next, step, { executionId: running.id, logOffset: 4, attachOnly: true });
      assert.equal((await resumed.outcome).exitCode, 0);
      assert.equal(resumed.log(), 'two\n');
      await next.release(running.id);
      await next.close();
    }));

  it('ends a cancelled command with all it started, whatever its session', () =>
    withLocalNode(async ({ node, spec }) => {
      const shell =
        "trap '' TERM; setsid sleep 600 & (setsid sh -c 'trap \"\" TERM; sleep 601; sleep 602' &) ; echo up; wait; sleep 603";
      const running = start(node, await spec(shell));
      await running.says('up');
      running.control.abort(new Error('no longer wanted'));
      const outcome = await running.outcome;
      assert.deepEqual([outcome.end, outcome.exitCode], ['cancelled', null]);
      assert.match(running.log(), /cancelled/);
      assert.deepEqual(processesMarked(running.id), []);
      await node.release(running.id);
    }));

  it('ends nothing of another node on the same machine, also of the same execution', () =>
    withLocalNode(async ({ node, spec, dir, open }) => {
      const other = await open({ name: 'other', root: join(dir, 'other') });
      const step = await spec('echo up; sleep 2');
      const mine = start(node, step);
      await mine.says('up');
      const theirs = start(other, step, { executionId: mine.id });
      await theirs.says('up');
      mine.control.abort(new Error('it runs elsewhere'));
      assert.equal((await mine.outcome).end, 'cancelled');
      await node.release(mine.id);
      const { end, exitCode } = await theirs.outcome;
      assert.deepEqual([end, exitCode], ['exited', 0]);
      await other.release(mine.id);
      await other.close();
    }));

  it('ends what a command leaves behind when it forks and exits', () =>
    withLocalNode(async ({ node, spec }) => {
      const running = start(node, await spec('(setsid sleep 600 > /dev/null 2>&1 &); setsid sleep 600 & echo bye'));
      assert.equal((await running.outcome).exitCode, 0);
      assert.deepEqual(processesMarked(running.id), []);
      await node.release(running.id);
    }));

  it('ends a command at its time limit', () =>
    withLocalNode(async ({ node, spec }) => {
      const result = await runStep(node, await spec('echo begun; sleep 600', { timeoutMs: 300 }));
      assert.deepEqual([result.end, result.exitCode], ['timeout', null]);
      assert.match(result.log, /^begun\n\nhelix: ended after its time limit of 0\.3 s\n$/);
    }));

  it('ends a command that prints too much, and keeps what it had printed', () =>
    withLocalNode(async ({ node, spec }) => {
      const result = await runStep(node, await spec('yes'), { logLimitBytes: 1024 * 1024 });
      assert.equal(result.end, 'log-limit');
      assert.match(result.log, /helix: ended because it printed more than 1 MiB\n$/);
      assert.ok(result.log.length < 1024 * 1024 + 200);
      assert.equal(result.logBytes, result.log.length);
    }));

  it('ends an orphan when its lease has run out', () =>
    withLocalNode(async ({ spec, open }) => {
      const node = await open();
      const step = await spec('echo $$; setsid sleep 600 & sleep 600');
      const running = start(node, step);
      await running.says('\n');
      running.control.abort(DETACH);
      await node.close();
      await eventually('the orphan’s end', () => processesMarked(running.id).length === 0);
      const next = await open();
      const late = start(next, step, { executionId: running.id });
      assert.equal((await late.outcome).end, 'lease-expired');
      await next.release(running.id);
      await next.close();
    }));

  it('keeps the lease of a long command as long as the controller is there', () =>
    withLocalNode(async ({ node, spec }) => {
      assert.equal((await runStep(node, await spec('sleep 2.5'))).exitCode, 0);
    }));

  it('installs a layer once for two steps at the same time, in two slots', () =>
    withLocalNode(async ({ node, spec, dir, store, root }) => {
      const install = `echo ran >> ${dir}/installs; echo stray > stray.txt; mkdir -p modules/bin; echo 'echo tool' > modules/bin/tool; chmod +x modules/bin/tool; sleep 0.3`;
      const step = await spec('tool; echo $FROM_LAYER; cat stray.txt; true', { layers: [layer(install)] });
      const results = await Promise.all([runStep(node, step), runStep(node, step)]);
      for (const result of results) {
        assert.match(result.log, /tool\nyes\ncat: stray.txt: No such file/);
        assert.deepEqual(
          (await store.list(result.snapshot)).map(({ path }) => path),
          ['a.txt'],
        );
      }
      assert.equal(await readFile(join(dir, 'installs'), 'utf8'), 'ran\n');
      assert.ok(existsSync(join(root, 'projects/sample/slots/1')));
      await runStep(node, step);
      const other = await runStep(node, await spec('ls', { snapshot: step.snapshot }));
      assert.equal(other.log, 'a.txt\n', 'a step without the layer does not see it');
      const back = await runStep(node, step);
      assert.match(back.log, /^tool\n/);
      assert.equal(await readFile(join(dir, 'installs'), 'utf8'), 'ran\n');
    }));

  it('reports an install that fails, with its output', () =>
    withLocalNode(async ({ node, spec }) => {
      const result = await runStep(node, await spec('echo never', { layers: [layer('echo broken; exit 7', 'b')] }));
      assert.deepEqual([result.end, result.exitCode], ['install-failed', 7]);
      assert.equal(result.log, '--- helix: installing modules: echo broken; exit 7\nbroken\n');
    }));

  it('picks up an install that was running when its agent was killed', () =>
    withLocalNode(async ({ node, spec, dir, root }) => {
      const install = `echo ran >> ${dir}/installs-c; mkdir -p modules/bin; echo half; sleep 0.5; echo 'echo tool' > modules/bin/tool; chmod +x modules/bin/tool`;
      const running = start(node, await spec('tool', { layers: [layer(install, 'c')] }));
      await running.says('half');
      process.kill(agentOf(root), 'SIGKILL');
      assert.equal((await running.outcome).exitCode, 0);
      assert.match(running.log(), /half\ntool\n$/);
      assert.equal(await readFile(join(dir, 'installs-c'), 'utf8'), 'ran\n');
      await node.release(running.id);
    }));

  it('goes on with a command whose agent is killed right after the install before it', () =>
    withLocalNode(async ({ node, spec, root }) => {
      for (const key of ['d', 'e', 'f']) {
        const running = start(node, await spec('echo up; sleep 1; echo end', { layers: [layer('sleep 0.5', key)] }));
        await running.says('up');
        process.kill(agentOf(root), 'SIGKILL');
        const { end, exitCode } = await running.outcome;
        assert.deepEqual([end, exitCode], ['exited', 0]);
        assert.match(running.log(), /up\nend\n$/);
        await node.release(running.id);
      }
    }));

  it('cancels what it has not begun without beginning it', () =>
    withLocalNode(async ({ node, spec, dir }) => {
      const outcome = await node.execute({
        executionId: newExecutionId(),
        spec: await spec(`touch ${dir}/ran`),
        logOffset: 0,
        onLog: () => {},
        signal: AbortSignal.abort(new Error('no')),
      });
      assert.equal(outcome.end, 'cancelled');
      assert.ok(!existsSync(join(dir, 'ran')));
    }));

  it('refuses a folder outside the workspace and leaves nothing behind', () =>
    withLocalNode(async ({ node, spec }) => {
      await assert.rejects(runStep(node, await spec('pwd', { command: { shell: 'pwd', cwd: '../..' } })), {
        code: 'usage.invalid',
      });
      await assert.rejects(runStep(node, await spec('pwd', { command: { shell: 'pwd', cwd: 'missing' } })), {
        code: 'usage.invalid',
      });
    }));

  it('tells that its agent has gone and that it is back', () =>
    withLocalNode(async ({ node, root }) => {
      const states: string[] = [];
      const stop = node.onStateChange(({ state }) => states.push(state));
      process.kill(agentOf(root), 'SIGKILL');
      await eventually('both changes', () => states.length === 2);
      stop();
      assert.deepEqual(states, ['lost', 'connected']);
    }));
});
