import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openSshNode } from '../../fleet/node.ts';
import { withSshd } from '../support/sshd.ts';
import { quickTiming, start, withProject } from './project-fixture.ts';
import { eventually } from '../support/eventually.ts';

describe('a purge', () => {
  it('ends what runs and leaves no trace of Helix, and what is not its own alone', async () => {
    const cacheDir = await mkdtemp(join(tmpdir(), 'helix-test-'));
    const list = (folder: string): string[] =>
      execFileSync('find', [folder, '-mindepth', '1'], { encoding: 'utf8' }).split('\n').filter(Boolean).sort();
    try {
      await withProject(({ dir, stores, spec }) =>
        withSshd(
          async (sshd) => {
            const before = list(sshd.home);
            const hostKey = { kind: 'fingerprint' as const, sha256: await sshd.hostKey() };
            const open = () =>
              openSshNode({ name: 'm', ssh: sshd.target, hostKey, cacheDir, stores, timing: quickTiming });
            const node = await open();
            // As Go's cache of modules: a folder that its owner cannot write.
            const sealed =
              'mkdir -p "$HOME/.helix/layers/x/y" && touch "$HOME/.helix/layers/x/y/z" && chmod -R a-w "$HOME/.helix/layers/x"';
            const running = start(node, await spec(`${sealed}; echo begun; setsid sleep 300 & sleep 301`));
            await running.says('begun');
            const mine = join(sshd.home, '.helix', 'mine.txt');
            await writeFile(mine, '');
            assert.deepEqual(await node.purge(), ['mine.txt']);
            assert.deepEqual(list(join(sshd.home, '.helix')), [mine]);
            await assert.rejects(start(node, await spec('true')).outcome, {
              code: 'node.lost',
              message: /was removed/,
            });
            await node.close();
            await eventually('the end of all processes', () => sshd.processes().length === 0);
            await rm(mine);

            const again = await open();
            assert.deepEqual(await again.purge(), []);
            await again.close();
            await eventually('the end of the agent', () => sshd.processes().length === 0);
            assert.deepEqual(list(sshd.home), before, dir);
          },
          { loginShell: '/bin/sh' },
        ),
      );
    } finally {
      await rm(cacheDir, { recursive: true });
    }
  });
});
