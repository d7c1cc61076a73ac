import assert from 'node:assert/strict';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { bundleProgram } from '../../fleet/agent/bundle.ts';
import type { NodeProgram } from '../../fleet/node-program.ts';
import { type FleetNode, openSshNode } from '../../fleet/node.ts';
import { pathWith, systemPrograms } from '../support/few-programs.ts';
import { type Sshd, withSshd } from '../support/sshd.ts';
import { withTempDir } from '../support/temp-dir.ts';
import { eventually } from '../support/eventually.ts';

const echo = `
  process.stderr.write(process.env.PATH ? 'has a PATH' : 'has none');
  process.stdin.on('data', (chunk) => process.stdout.write(chunk));
  process.stdin.on('end', () => process.exit(3));
`;

function withProgram(use: (place: { node: FleetNode; sshd: Sshd; program: NodeProgram }) => Promise<void>) {
  return withTempDir((dir) =>
    withSshd(
      async (sshd) => {
        const entry = join(dir, 'echo.ts');
        await writeFile(entry, echo);
        const program = await bundleProgram({ name: 'echo', entry, before: '// first' }, dir);
        const node = await openSshNode({
          name: 'n1',
          ssh: sshd.target,
          hostKey: { kind: 'known-hosts', file: await sshd.knownHosts() },
          cacheDir: join(dir, 'cache'),
          stores: () => Promise.reject(new Error('no step runs here')),
        });
        try {
          await use({ node, sshd, program });
        } finally {
          await node.close();
        }
      },
      { path: pathWith(dir, [...systemPrograms, 'git', 'node']) },
    ),
  );
}

function running(sshd: Sshd): number {
  return sshd.processes().filter(({ command }) => /bin\/echo-[0-9a-f]{16}\.mjs/.test(command)).length;
}

describe('a program on a node', () => {
  it('is brought there once, and has what it reads and writes relayed, however much', () =>
    withProgram(async ({ node, sshd, program }) => {
      const sent = Buffer.alloc(8 << 20, 'abcdefgh');
      for (let round = 0; round < 2; round += 1) {
        const { input, output, ended, close } = await node.openProgram(program);
        let received = 0;
        input.on('data', (chunk: Buffer) => (received += chunk.length));
        output.end(sent);
        await eventually('everything comes back', async () => received === sent.length);
        assert.equal(running(sshd), 1);
        close();
        assert.match(await ended, /gave up|exit code|closed|has a PATH/);
        await eventually('it ends', async () => running(sshd) === 0);
      }
    }));

  it('says how it ended, with its last words', () =>
    withProgram(async ({ node, sshd, program }) => {
      const { input, output, ended } = await node.openProgram(program);
      output.write('hello');
      assert.equal(String((await once(input, 'data'))[0]), 'hello');
      const { pid } = sshd.processes().find(({ command }) => command.includes('bin/echo-'))!;
      process.kill(pid, 'SIGKILL');
      assert.equal(await ended, 'SIGKILL: has a PATH');
    }));

  it('ends with the connection, and is there again for whoever comes back', () =>
    withProgram(async ({ node, sshd, program }) => {
      const { ended } = await node.openProgram(program);
      sshd.killConnections();
      await ended;
      await eventually('it ends', async () => running(sshd) === 0);
      const again = await node.openProgram(program);
      assert.equal(running(sshd), 1);
      again.close();
    }));
});
