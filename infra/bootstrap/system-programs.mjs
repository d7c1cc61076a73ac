// Plain JavaScript without dependencies, like the launcher that uses it.
import { accessSync, constants, existsSync, rmSync, writeFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';

/** Programs the tests start, with Debian's package for each. */
const needed = [
  { program: 'git', package: 'git' },
  { program: 'sshd', package: 'openssh-server' },
  { program: 'fish', package: 'fish' },
  { program: 'tcsh', package: 'tcsh' },
  { program: 'nft', package: 'nftables' },
  { program: 'ip', package: 'iproute2' },
  { program: 'faketime', package: 'faketime' },
];

const serviceVeto = '/usr/sbin/policy-rc.d';

/** Installs the missing programs where that is possible (root on Debian); otherwise says how to. */
export async function ensureSystemPrograms({ run, say }) {
  const missing = needed.filter(({ program }) => !isOnPath(program)).map((entry) => entry.package);
  if (missing.length === 0) return;
  const command = `apt-get install -y --no-install-recommends ${missing.join(' ')}`;
  if (process.getuid?.() !== 0 || !isOnPath('apt-get')) {
    say(`the tests need ${missing.join(' and ')}; on Debian: sudo ${command}`);
    return;
  }
  say(`installing ${missing.join(' and ')} (${command})`);
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  const ownVeto = !existsSync(serviceVeto);
  // The tests start servers of their own; the machine's must not begin to listen because of them.
  if (ownVeto) writeFileSync(serviceVeto, '#!/bin/sh\nexit 101\n', { mode: 0o755 });
  try {
    await run('apt-get', ['update', '-q'], { env });
    const code = await run('apt-get', command.split(' ').slice(1), { env });
    if (code !== 0)
      throw new Error(`${missing.join(' and ')} could not be installed: apt-get ended with exit code ${code}`);
  } finally {
    if (ownVeto) rmSync(serviceVeto, { force: true });
  }
}

function isOnPath(program) {
  const folders = [...(process.env.PATH ?? '').split(delimiter), '/usr/sbin', '/sbin'].filter(Boolean);
  return folders.some((folder) => {
    try {
      accessSync(join(folder, program), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}
