import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, readdir, readFile, stat, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { windowsHost } from '../../../fleet/agent/platform/host-windows.ts';
import { windowsPath } from '../../../fleet/agent/platform/login-windows.ts';
import { posixScript } from '../../../fleet/agent/platform/commands-windows.ts';
import { createScript } from '../../../fleet/agent/platform/powershell.ts';
import { processesFrom, readListing } from '../../../fleet/agent/platform/process-listing.ts';
import { refuseForWindows } from '../../../snapshots/windows-names.ts';
import { withTempDir } from '../../support/temp-dir.ts';

const idsFrom = (listing: string, ...known: [pid: number, from: number, at: number][]): number[] =>
  processesFrom(
    known.map(([pid, from, at]) => ({ pid, from, at })),
    readListing(listing),
  )
    .map(({ pid }) => pid)
    .sort((a, b) => a - b);

describe('processes of a step on Windows', () => {
  it('are all that came from the shell, also when it has ended', () => {
    const listing = '4 0 1\r\n10 4 100\r\n20 10 200\r\n30 20 300\r\n31 20 301\r\n99 4 50\r\n';
    assert.deepEqual(idsFrom(listing, [20, 190, 210]), [20, 30, 31]);
    assert.deepEqual(idsFrom(listing.replace('20 10 200\r\n', ''), [20, 190, 210]), [30, 31]);
    assert.deepEqual(idsFrom('access denied\r\n1 2\r\n', [20, 190, 210]), []);
  });

  it('are not those of others whose parent had the same id, before or after', () => {
    const before = '40 20 100';
    const after = '20 4 500\n41 20 600';
    const own = '42 20 300';
    assert.deepEqual(idsFrom([before, after, own].join('\n'), [20, 190, 210]), [42]);
  });

  it('end with those that a parent has brought into the world and then left, once they were seen', () => {
    const listing = '30 25 300\n35 30 350';
    assert.deepEqual(idsFrom(listing, [20, 190, 210]), []);
    assert.deepEqual(idsFrom(listing, [20, 190, 210], [30, 300, 300]), [30, 35]);
  });

  it('are found by their variables in the POSIX layer, and told to end there', async () => {
    const folder = 'C:\\Users\\me\\.helix\\executions\\e-1';
    const env = { ...process.env, HELIX_RUN: `${folder}\\run-command.0` };
    const own = spawn('sleep', ['60'], { env });
    const other = spawn('sleep', ['60'], { env: { ...env, HELIX_RUN: `${folder}0\\run-command.0` } });
    try {
      const ask = (signal: string): string =>
        execFileSync('sh', ['-c', posixScript], {
          env: { ...process.env, HELIX_FOLDER: folder, HELIX_SIGNAL: signal },
          encoding: 'utf8',
        });
      assert.equal(ask(''), `${own.pid}\n`);
      assert.equal(own.exitCode, null);
      ask('TERM');
      const [, signal] = await once(own, 'exit');
      assert.equal(signal, 'SIGTERM');
      assert.equal(ask(''), '');
    } finally {
      own.kill('SIGKILL');
      other.kill('SIGKILL');
    }
  });

  it('are started by a script in which no folder is anything but text', () => {
    const script = createScript(['C:\\Program Files\\nodejs\\node.exe', "C:\\it's\\a.mjs", 'run'], "C:\\it's");
    assert.ok(script.includes(`CommandLine='"C:\\Program Files\\nodejs\\node.exe" "C:\\it''s\\a.mjs" "run"'`), script);
    assert.ok(script.includes(`CurrentDirectory='C:\\it''s'`), script);
  });
});

describe('a node with Windows', () => {
  it('finds the shell of Git for Windows by its git, and puts its programs first', () => {
    const files = ['C:\\Program Files\\Git\\cmd\\git.exe', 'C:\\Program Files\\Git\\usr\\bin\\sh.exe'];
    const found = windowsPath('C:\\Windows\\system32;"C:\\Program Files\\Git\\cmd\\";relative', (file) =>
      files.includes(file),
    );
    assert.equal(found.shell, files[1]);
    const entries = found.path.split(';');
    assert.equal(entries[0], 'C:\\Program Files\\Git\\usr\\bin');
    assert.equal(entries.at(-1), 'C:\\Windows\\system32');
    assert.equal(new Set(entries).size, entries.length);
    assert.throws(() => windowsPath('C:\\Windows\\system32', () => false), {
      code: 'node.unsuitable',
      message: /install Git for Windows/,
    });
  });

  it('knows programs by their endings, and starts scripts of cmd.exe by cmd.exe', () => {
    assert.deepEqual(windowsHost.programNames('npm'), ['npm.com', 'npm.exe', 'npm.bat', 'npm.cmd']);
    assert.deepEqual(windowsHost.programNames('powershell.exe'), ['powershell.exe']);
    const { parameters, verbatim } = windowsHost.invocation('C:\\Program Files\\nodejs\\npm.cmd', ['--version']);
    assert.deepEqual(parameters, ['/d', '/s', '/c', '""C:\\Program Files\\nodejs\\npm.cmd" "--version""']);
    assert.equal(verbatim, true);
    assert.deepEqual(windowsHost.invocation('C:\\git.exe', ['x']), { file: 'C:\\git.exe', parameters: ['x'] });
  });

  it('claims without symbolic links, for one holder only, and leaves nothing else', async () => {
    await withTempDir(async (dir) => {
      const file = join(dir, '0.claim');
      assert.equal(windowsHost.claim(file, 'e-1'), true);
      assert.equal(windowsHost.claim(file, 'e-2'), false);
      assert.equal(windowsHost.claimant(file), 'e-1');
      assert.deepEqual(await readdir(dir), ['0.claim']);
      assert.throws(() => windowsHost.claimant(join(dir, '1.claim')), { code: 'ENOENT' });
    });
  });

  it('copies layers with their times', async () => {
    await withTempDir(async (dir) => {
      await mkdir(join(dir, 'a/b'), { recursive: true });
      await writeFile(join(dir, 'a/b/c'), 'c');
      await utimes(join(dir, 'a/b/c'), 1000, 1000);
      await windowsHost.copyTree(join(dir, 'a'), join(dir, 'd'));
      assert.equal(await readFile(join(dir, 'd/b/c'), 'utf8'), 'c');
      assert.equal((await stat(join(dir, 'd/b/c'))).mtimeMs, 1_000_000);
    });
  });

  it('refuses snapshots that it cannot hold, naming the file', () => {
    const names = (...paths: string[]): Parameters<typeof refuseForWindows>[1] => ({
      folders: new Set(paths.filter((path) => path.endsWith('/')).map((path) => path.slice(0, -1))),
      files: new Map(paths.filter((path) => !path.endsWith('/')).map((path) => [path, undefined as never])),
    });
    refuseForWindows('s', names('src/', 'src/auxiliary.c', 'con-fig', '.git-ignore', 'é ü'));
    for (const bad of ['src/aux.c', 'NUL', 'com1.txt', 'a:b', 'what?', 'end.', 'end ', 'a\\b', 'tab\t']) {
      assert.throws(() => refuseForWindows('s', names(bad)), { code: 'usage.invalid' }, bad);
    }
    assert.throws(() => refuseForWindows('s', names('src/', 'Src/', 'src/a')), { message: /both "src" and "Src"/ });
  });
});
