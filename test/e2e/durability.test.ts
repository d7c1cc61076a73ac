import assert from 'node:assert/strict';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { loadConfig } from '../../config/load.ts';
import type { StepView } from '../../contracts/job.ts';
import { anyFreePort } from '../../infra/embedded/ports.ts';
import { readStackState } from '../../infra/embedded/stack.ts';
import { withDatabase } from '../support/postgres.ts';
import { makeRepository } from '../support/projects.ts';
import { Roles, type RoleName } from '../support/roles.ts';
import { type Kept, keepOpen } from '../support/keep-open.ts';
import { type Sshd, withSshds } from '../support/sshd.ts';
import { execute, root, type Stack, startStack } from '../support/stack.ts';
import { sharedTemporal } from '../support/temporal.ts';
import { eventually } from '../support/eventually.ts';

const packages = ['p1', 'p2', 'p3', 'p4', 'p5', 'p6', 'p7'];

/** Says when it starts and ends, takes its time, prints many lines and makes an output. */
const work = `
const { appendFileSync, mkdirSync, writeFileSync } = require('node:fs');
const [, , what, name] = process.argv;
appendFileSync(process.env.MARKS, 'start ' + what + ' ' + name + '\\n');
let line = 0;
const timer = setInterval(() => {
  for (let i = 0; i < 50; i++) console.log('line ' + ++line);
  if (line < 700) return;
  clearInterval(timer);
  if (what === 'build') {
    mkdirSync('dist', { recursive: true });
    writeFileSync('dist/' + name + '.txt', 'built ' + name + '\\n');
  } else console.log('TAP version 13\\nok 1 - ' + name + '\\n1..1\\n# pass 1');
  appendFileSync(process.env.MARKS, 'end ' + what + ' ' + name + '\\n');
}, 100);
`;

function project(): Record<string, string> {
  const files: Record<string, string> = {
    'package.json': JSON.stringify({ name: 'durable', private: true, workspaces: ['packages/*'] }, null, 2),
    'work.cjs': work,
    '.gitignore': 'node_modules/\ndist/\n',
  };
  for (const name of packages) {
    const scripts = { build: `node ../../work.cjs build ${name}`, test: `node ../../work.cjs test ${name}` };
    files[`packages/${name}/package.json`] = JSON.stringify(
      { name, version: '1.0.0', main: `dist/${name}.txt`, scripts },
      null,
      2,
    );
  }
  return files;
}

/** What a job came to, without what may differ between runs. */
interface Outcome {
  status: string;
  snapshots: string[];
  tests: number;
  trees: string[];
}

/** A way to drive jobs, on whatever stack. */
interface Driver {
  env: NodeJS.ProcessEnv;
  apiUrl: string;
  databaseUrl: string;
}

describe('durability: a job of 15 steps on two SSH nodes', function () {
  this.timeout(240_000);
  let dir: string;
  let repository: string;
  let machines: Sshd[];
  let kept: Kept<Sshd[]> | undefined;

  before(async () => {
    dir = await mkdtemp(join(tmpdir(), 'helix-durability-'));
    repository = await makeRepository(join(dir, 'repository'), project());
    kept = await keepOpen((use) => withSshds([{}, {}], use));
    machines = kept.resource;
  });

  after(async () => {
    // Fails when a process was left on a machine.
    await kept?.giveBack();
    await rm(dir, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 });
  });

  const helix = (driver: Driver, ...args: string[]) =>
    execute(join(root, 'helix'), ['--api', driver.apiUrl, ...args], { env: driver.env });

  const addMachines = async (driver: Driver): Promise<void> => {
    for (const [index, { target, hostKey }] of machines.entries()) {
      const { code, stdout, stderr } = await helix(
        driver,
        'nodes',
        'add',
        `${target.user}@127.0.0.1:${target.port}`,
        '--name',
        `ssh${index}`,
        '--key',
        target.keyFile,
        '--fingerprint',
        await hostKey(),
        '--slots',
        '2',
        '--label',
        'pool=ssh',
      );
      assert.equal(code, 0, stdout + stderr);
    }
  };

  const steps = async (driver: Driver, jobId: string): Promise<StepView[]> => {
    const answer = await fetch(`${driver.apiUrl}/v1/jobs/${jobId}/steps`).catch(() => undefined);
    return answer?.ok ? ((await answer.json()) as { steps: StepView[] }).steps : [];
  };

  /** Runs the job and does `disturb` when some steps are done and others run. */
  const run = async (driver: Driver, disturb: () => void | Promise<void>): Promise<Outcome> => {
    const marks = join(dir, `marks-${Math.random().toString(36).slice(2)}`);
    const started = await helix(
      driver,
      'run',
      '--detach',
      '--repo',
      repository,
      '--no-cache',
      '--node-class',
      'pool=ssh',
      '--env',
      `MARKS=${marks}`,
    );
    assert.equal(started.code, 0, started.stdout + started.stderr);
    const jobId = /job-[a-z0-9]{12}/.exec(started.stdout)![0];
    await eventually('the job is in the middle', async () => {
      const now = await steps(driver, jobId);
      return (
        now.filter(({ state }) => state === 'succeeded').length >= 3 && now.some(({ state }) => state === 'running')
      );
    });
    await new Promise((resolve) => setTimeout(resolve, 400));
    await disturb();
    const watched = await helix(driver, 'watch', jobId, '--json');
    assert.equal(watched.code, 0, watched.stdout + watched.stderr);
    const result = JSON.parse(watched.stdout.trim().split('\n').at(-1)!) as {
      status: string;
      checkpoints: { snapshot: string }[];
      tests: { passed: number };
    };

    const ends = (await readFile(marks, 'utf8'))
      .split('\n')
      .filter((line) => line.startsWith('end '))
      .sort();
    const expected = packages.flatMap((name) => [`end build ${name}`, `end test ${name}`]).sort();
    assert.deepEqual(ends, expected, 'every step ran to its end exactly once');
    await eventually('no command is left on a node', async () =>
      (await commandLines()).every((line) => !line.includes('work.cjs')),
    );
    for (const step of (await steps(driver, jobId)).filter(({ taskId }) => taskId !== 'install')) {
      const log = await (await fetch(`${driver.apiUrl}/v1/jobs/${jobId}/steps/${step.number}/log`)).text();
      const lines = log.split('\n').filter((line) => /^line \d+$/.test(line));
      assert.deepEqual(
        lines,
        Array.from({ length: 700 }, (_, index) => `line ${index + 1}`),
        `the log of ${step.taskId} has every line once`,
      );
    }
    return {
      status: result.status,
      snapshots: result.checkpoints.map(({ snapshot }) => snapshot),
      tests: result.tests.passed,
      trees: await treesOf(driver, jobId),
    };
  };

  describe('on the embedded stack', () => {
    let stack: Stack;
    let driver: Driver;
    let undisturbed: Outcome;

    before(async () => {
      stack = await startStack();
      const { apiUrl, databaseUrl } = (await readStackState(loadConfig(stack.env)))!;
      driver = { env: stack.env, apiUrl, databaseUrl };
      await addMachines(driver);
      undisturbed = await run(driver, () => undefined);
      assert.equal(undisturbed.status, 'succeeded');
      assert.equal(undisturbed.tests, packages.length);
      assert.ok(undisturbed.trees.length >= 15);
    });

    after(() => stack?.down());

    for (const name of ['helix', 'temporal', 'postgres'] as const) {
      it(`kill -9 of ${name}: the job ends as it would have, no finished step runs twice`, async () => {
        const outcome = await run(driver, async () => {
          const { pid } = (await stack.status()).find((process) => process.name === name)!;
          process.kill(pid!, 'SIGKILL');
        });
        assert.deepEqual(outcome, undisturbed);
      });
    }

    it('kill -9 of every connection on both nodes: the job ends as it would have, no finished step runs twice', async () => {
      const outcome = await run(driver, () => machines.forEach((machine) => machine.killConnections()));
      assert.deepEqual(outcome, undisturbed);
    });

    it('a node that freezes is noticed within 10 s and its steps run on the other', async () => {
      const [first] = machines;
      const before = Date.now();
      let noticed = 0;
      first!.freeze();
      try {
        await eventually('the node is unreachable', async () => {
          const nodes = JSON.parse((await helix(driver, 'nodes', '--json')).stdout) as {
            name: string;
            state: string;
          }[];
          return nodes.find(({ name }) => name === 'ssh0')?.state === 'unreachable';
        });
        noticed = Date.now() - before;
      } finally {
        first!.thaw();
      }
      assert.ok(noticed < 10_000, `noticed after ${noticed} ms`);
      await eventually('the node is back', async () => {
        const nodes = JSON.parse((await helix(driver, 'nodes', '--json')).stdout) as { name: string; state: string }[];
        const state = nodes.find(({ name }) => name === 'ssh0')?.state;
        // The load of this machine is no part of the question.
        return state === 'healthy' || state === 'degraded';
      });
    });
  });

  describe('with each role as a process of its own', () => {
    const targets: RoleName[] = ['node-pool', 'orchestrator', 'api', 'integrations'];

    it('kill -9 of the node-pool, the orchestrator, the api and the integrations in turn: every job ends as it would have', async () => {
      const { address } = await sharedTemporal();
      await withDatabase(async (databaseUrl) => {
        const port = await anyFreePort();
        const env = {
          ...process.env,
          HELIX_HOME: join(dir, 'home'),
          DATABASE_URL: databaseUrl,
          TEMPORAL_ADDRESS: address,
          HELIX_API_PORT: String(port),
        };
        const roles = await Roles.start(env);
        try {
          const driver = { env, apiUrl: roles.apiUrl, databaseUrl };
          await addMachines(driver);
          const undisturbed = await run(driver, () => undefined);
          for (const target of targets)
            assert.deepEqual(await run(driver, () => roles.kill(target)), undisturbed, target);
        } finally {
          await roles.stop();
        }
      });
    });
  });
});

async function treesOf({ databaseUrl }: Driver, jobId: string): Promise<string[]> {
  const client = new pg.Client({ connectionString: databaseUrl });
  await client.connect();
  try {
    const { rows } = await client.query<{ tree: string }>(
      `select task_id || ' ' || (result->>'snapshot') || ' ' || coalesce(result->>'outputs', '') as tree from steps where job_id = $1 order by 1`,
      [jobId],
    );
    return rows.map(({ tree }) => tree);
  } finally {
    await client.end();
  }
}

async function commandLines(): Promise<string[]> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
  return await Promise.all(pids.map((pid) => readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')));
}
