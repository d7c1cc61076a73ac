import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { withTempDir } from '../support/temp-dir.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const launcher = join(root, 'infra', 'bootstrap', 'launch.mjs');

interface Ended {
  code: number;
  stdout: string;
  stderr: string;
}

function run(program: string, args: string[], cwd: string): Promise<Ended> {
  return new Promise((resolve) => {
    execFile(program, args, { cwd }, (error, stdout, stderr) =>
      resolve({ code: Number(error?.code ?? 0), stdout, stderr }),
    );
  });
}

describe('the launcher', () => {
  it('runs from any folder, through links to links, without a word on standard error', async () => {
    await withTempDir(async (dir) => {
      await symlink(join(root, 'helix'), join(dir, 'absolute'));
      await symlink('absolute', join(dir, 'relative'));
      for (const program of [join(root, 'helix'), './relative']) {
        const { code, stdout, stderr } = await run(program, ['--help'], dir);
        assert.equal(code, 0);
        assert.match(stdout, /^Usage: helix/);
        assert.equal(stderr, '');
      }
    });
  });

  it('passes on the exit code of the command', async () => {
    assert.equal((await run(join(root, 'helix'), ['no-such-command'], root)).code, 2);
    assert.equal((await run(process.execPath, [launcher, 'no-such-command'], root)).code, 2);
  });

  it('ends the tests with a count and a failure when mocha itself fails', async () => {
    const { code, stdout } = await run(process.execPath, [launcher, 'mocha', 'test/no-such.test.ts'], root);
    assert.equal(stdout.trimEnd().split('\n').at(-1), '0 passed, 1 failed');
    assert.notEqual(code, 0);
  });
});
