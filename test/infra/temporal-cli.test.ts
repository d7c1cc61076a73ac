import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { chmod, mkdir, readdir, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { resolveTemporalCli, temporalCliVersion } from '../../infra/embedded/temporal-cli.ts';
import { withTempDir } from '../support/temp-dir.ts';

const run = promisify(execFile);
const cachedName = `temporal-${temporalCliVersion}`;

async function program(path: string, script = 'exit 0'): Promise<string> {
  await mkdir(join(path, '..'), { recursive: true });
  await writeFile(path, `#!/bin/sh\n${script}\n`);
  await chmod(path, 0o755);
  return path;
}

/** A server that answers as the SDK's download address does; `downloads` counts the archives sent. */
async function withDownloadServer(use: (url: string, downloads: () => number) => Promise<void>): Promise<void> {
  await withTempDir(async (dir) => {
    await program(join(dir, 'temporal'), 'echo from the download');
    await run('tar', ['-czf', join(dir, 'cli.tar.gz'), '-C', dir, 'temporal']);
    let sent = 0;
    const server = createServer((request, response) => {
      const { port } = server.address() as AddressInfo;
      if (request.url!.startsWith(`/cli/v${temporalCliVersion}?`)) {
        response.end(JSON.stringify({ archiveUrl: `http://127.0.0.1:${port}/archive`, fileToExtract: 'temporal' }));
        return;
      }
      sent++;
      run('cat', [join(dir, 'cli.tar.gz')], { encoding: 'buffer' }).then(
        ({ stdout }) => response.end(stdout),
        () => response.destroy(),
      );
    }).listen(0, '127.0.0.1');
    await new Promise((resolve) => server.once('listening', resolve));
    try {
      await use(`http://127.0.0.1:${(server.address() as AddressInfo).port}`, () => sent);
    } finally {
      server.close();
      server.closeAllConnections();
    }
  });
}

const nowhere = 'http://127.0.0.1:9';

describe('the Temporal CLI', () => {
  it('is the one that HELIX_TEMPORAL_CLI names, then the one on PATH, then the one in the cache', async () => {
    await withTempDir(async (dir) => {
      const named = await program(join(dir, 'named', 'my-temporal'));
      const onPath = await program(join(dir, 'bin', 'temporal'));
      const cached = await program(join(dir, 'cache', 'helixcode', 'bin', cachedName));
      const resolve = (env: NodeJS.ProcessEnv) =>
        resolveTemporalCli({ env, onProgress: (line) => assert.fail(line), downloadUrl: nowhere });
      const cache = { XDG_CACHE_HOME: join(dir, 'cache') };
      const path = { PATH: `${join(dir, 'none')}:${join(dir, 'bin')}` };
      assert.equal(await resolve({ ...cache, ...path, HELIX_TEMPORAL_CLI: named }), named);
      assert.equal(await resolve({ ...cache, ...path }), onPath);
      assert.equal(await resolve({ ...cache, PATH: '' }), cached);
      assert.equal(await resolve({ HOME: dir, XDG_CACHE_HOME: join(dir, 'cache'), PATH: '' }), cached);
      await assert.rejects(resolve({ HELIX_TEMPORAL_CLI: join(dir, 'gone') }), /HELIX_TEMPORAL_CLI is .*gone/);
    });
  });

  it('is downloaded once, whole, when two ask at the same moment', async () => {
    await withTempDir(async (dir) => {
      await withDownloadServer(async (downloadUrl, downloads) => {
        const env = { XDG_CACHE_HOME: dir, PATH: '' };
        const told: string[] = [];
        const options = { env, downloadUrl, onProgress: (line: string) => void told.push(line) };
        const [one, other] = await Promise.all([resolveTemporalCli(options), resolveTemporalCli(options)]);
        assert.equal(one, join(dir, 'helixcode', 'bin', cachedName));
        assert.equal(other, one);
        assert.equal(downloads(), 1);
        assert.equal((await run(one)).stdout, 'from the download\n');
        assert.deepEqual(await readdir(join(dir, 'helixcode', 'bin')), [cachedName]);
        assert.match(told.join('\n'), /downloading the Temporal CLI/);
        assert.match(told.join('\n'), /waiting for process/);
      });
    });
  });

  it('is built by Go where it cannot be downloaded', async () => {
    await withTempDir(async (dir) => {
      // Go itself would take minutes: this one writes what it was asked for into a program.
      const go =
        'if [ "$1" = env ]; then echo go1.26.0; echo local; else printf "#!/bin/sh\\necho $*\\n" >"$GOBIN/temporal"; chmod +x "$GOBIN/temporal"; fi';
      await program(join(dir, 'go-bin', 'go'), go);
      const env = { XDG_CACHE_HOME: dir, PATH: `${join(dir, 'go-bin')}:/usr/bin:/bin` };
      const cli = await resolveTemporalCli({ env, downloadUrl: nowhere, onProgress: () => undefined });
      const { stdout } = await run(cli);
      assert.equal(stdout, `install github.com/temporalio/cli/cmd/temporal@v${temporalCliVersion}\n`);
    });
  });

  it('cannot be had: one error lists all that was tried, and what to do', async () => {
    await withTempDir(async (dir) => {
      const env = { XDG_CACHE_HOME: dir, PATH: join(dir, 'old-go') };
      await program(join(dir, 'old-go', 'go'), 'echo go1.24.1; echo local');
      const told: string[] = [];
      const failing = resolveTemporalCli({ env, downloadUrl: nowhere, onProgress: (line) => void told.push(line) });
      await assert.rejects(failing, (error: Error) => {
        for (const part of [
          'HELIX_TEMPORAL_CLI',
          'PATH',
          'cache',
          'download:',
          'go install: go1.24.1 is too old',
          'TEMPORAL_ADDRESS',
        ]) {
          assert.ok(error.message.includes(part), `${part} in ${error.message}`);
        }
        return true;
      });
      assert.deepEqual(await readdir(join(dir, 'helixcode', 'bin')), []);
    });
  });
});
