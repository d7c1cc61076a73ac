import assert from 'node:assert/strict';
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import type { SupervisorStart } from '../../../fleet/agent/platform/supervisor.ts';
import { withTempDir } from '../../support/temp-dir.ts';
import { eventually } from '../../support/eventually.ts';

const agent = resolve(import.meta.dirname, '../../../fleet/agent/main.ts');

interface Supervised {
  /** The execution's folder, and the run's in it. */
  folder: string;
  run: string;
  child: ChildProcess;
  /** Resolves with the exit code of the supervisor. */
  ended: Promise<number>;
  log(): string;
  file(name: string): string;
}

/** Supervises a command that is asked for every 50 ms, unless told otherwise. */
async function supervise(
  shell: string,
  use: (supervised: Supervised) => Promise<void>,
  { leased = true, ...more }: Partial<SupervisorStart> & { leased?: boolean } = {},
  prepare: (run: string) => void = () => {},
): Promise<void> {
  await withTempDir(async (folder) => {
    const run = join(folder, 'run-command.0');
    mkdirSync(run);
    const log = join(folder, 'log');
    const start: SupervisorStart = {
      sh: '/bin/sh',
      path: process.env.PATH!,
      shell,
      cwd: folder,
      env: { PATH: process.env.PATH!, HELIX_RUN: run, SECRET: 'told by file' },
      heading: '',
      log,
      timing: { pollSeconds: 0.05, leaseSeconds: 0.5, graceSeconds: 0.3 },
      timeoutMs: 60_000,
      logLimitBytes: 1 << 20,
      agent: process.pid,
      ...more,
    };
    writeFileSync(join(run, 'start.json'), JSON.stringify(start));
    prepare(run);
    const child = spawn(process.execPath, [agent, 'run', run], { detached: true, stdio: 'ignore' });
    let beat = 0;
    const lease = setInterval(() => leased && writeFileSync(join(folder, 'lease'), `${(beat += 1)}\n`), 50);
    const ended = once(child, 'exit').then(([code]) => code as number);
    const read = (file: string): string => (existsSync(file) ? readFileSync(file, 'utf8') : '');
    try {
      await use({ folder, run, child, ended, log: () => read(log), file: (name) => read(join(run, name)) });
      assert.deepEqual(processesOf(folder), []);
    } finally {
      clearInterval(lease);
      child.kill('SIGKILL');
      for (const pid of processesOf(folder)) process.kill(pid, 'SIGKILL');
    }
  });
}

function processesOf(folder: string): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .filter((name) => {
      try {
        return readFileSync(`/proc/${name}/environ`, 'utf8').includes(`HELIX_RUN=${folder}`);
      } catch {
        return false;
      }
    })
    .map(Number);
}

describe('what runs a command where no shell can', () => {
  it('writes the output and the exit code, and leaves no file that tells its variables', async () => {
    await supervise(
      'echo "$SECRET"; echo wrong >&2; exit 7',
      async ({ run, ended, log, file }) => {
        assert.equal(await ended, 0);
        assert.equal(log(), '--- installing\ntold by file\nwrong\n');
        assert.equal(file('exit'), '7\n');
        assert.match(file('pid'), /^\d+ \d+ \d+ \d+\n$/);
        assert.match(file('child'), /^\d+ \d+ \d+\n$/);
        assert.equal(existsSync(join(run, 'start.json')), false);
      },
      { heading: '--- installing' },
    );
  });

  it('does not run what was voided before it came', async () => {
    await supervise(
      'echo ran',
      async ({ ended, log }) => {
        assert.equal(await ended, 125);
        assert.equal(log(), '');
      },
      {},
      (run) => writeFileSync(join(run, 'pid'), 'void\n'),
    );
  });

  it('says why a command could not be started', async () => {
    await supervise(
      'true',
      async ({ ended, file, log }) => {
        assert.equal(await ended, 0);
        assert.equal(file('exit'), '126\n');
        assert.match(log(), /ENOENT/);
      },
      { sh: '/not/there/sh.exe' },
    );
  });

  for (const [what, shell, more, reason] of [
    ['when its time is over', 'sleep 60 & sleep 60; echo never', { timeoutMs: 200 }, 'timeout'],
    ['when nobody asks for it any more', 'sleep 60; echo never', { leased: false }, 'lease-expired'],
    ['when it prints too much', 'yes', { logLimitBytes: 5000 }, 'log-limit'],
    ['that does not mind being told', "trap '' TERM; sleep 60; sleep 60", { timeoutMs: 200 }, 'timeout'],
  ] as const) {
    it(`ends a command with all it has started ${what}`, async () => {
      await supervise(
        shell,
        async ({ ended, file, log }) => {
          assert.equal(await ended, 0);
          assert.equal(file('end'), `${reason}\n`);
          assert.match(file('exit'), /^1\d\d\n$/);
          assert.doesNotMatch(log(), /never/);
        },
        more,
      );
    });
  }

  it('ends what a command leaves behind when its agent has gone', async () => {
    const gone = Number(execFileSync('sh', ['-c', 'echo $$'], { encoding: 'utf8' }));
    await supervise(
      'sleep 60 & echo left',
      async ({ ended, file }) => {
        assert.equal(await ended, 0);
        assert.equal(file('exit'), '0\n');
      },
      { agent: gone },
    );
  });

  it('ends what its agent had decided to end and did not', async () => {
    await supervise('sleep 60', async ({ run, ended, file }) => {
      await eventually('the command runs', () => file('child') !== '');
      writeFileSync(join(run, 'end'), 'cancelled\n');
      assert.equal(await ended, 0);
      assert.equal(file('end'), 'cancelled\n');
    });
  });
});
