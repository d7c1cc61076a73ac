import { mkdir, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { llamaHome } from '../llm/support/llama-home.ts';
import { pathWith, systemPrograms } from './few-programs.ts';
import { type Sshd, withSshd } from './sshd.ts';
import { withTempDir } from './temp-dir.ts';

/** A machine reached by SSH, without npm, that has llama.cpp already. */
export function withModelMachine(use: (machine: { sshd: Sshd; dir: string }) => Promise<void>): Promise<void> {
  return withTempDir((dir) =>
    withSshd(
      async (sshd) => {
        await mkdir(join(sshd.home, '.helix'));
        await symlink(join(await llamaHome(), 'llama-cpp'), join(sshd.home, '.helix', 'llama-cpp'));
        await use({ sshd, dir });
      },
      { path: pathWith(dir, [...systemPrograms, 'git', 'node']) },
    ),
  );
}
