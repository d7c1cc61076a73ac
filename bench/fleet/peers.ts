import { execFile } from 'node:child_process';
import { access, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { Sshd } from '../../test/support/sshd.ts';
import { installOnce, cachePath } from '../install.ts';

const run = promisify(execFile);
const installMs = 10 * 60_000;

/** Installs a package of the system where its program is missing; that takes Debian and root. Throws what the installation says. */
export async function installPackage(name: string, program = name): Promise<void> {
  const there = await Promise.any(['/usr/bin', '/usr/local/bin'].map((dir) => access(join(dir, program)))).then(
    () => true,
    () => false,
  );
  if (!there) await run('apt-get', ['install', '-y', '-qq', '--no-install-recommends', name], { timeout: installMs });
}

/** Installs ansible-core into a virtualenv in the cache, once. Returns the folder of its programs. */
export async function installAnsible(): Promise<string> {
  const folder = cachePath('ansible');
  await installOnce(folder, join(folder, 'bin', 'ansible-playbook'), async () => {
    await run('python3', ['-m', 'venv', folder]);
    await run(join(folder, 'bin', 'pip'), ['install', '--quiet', 'ansible-core'], { timeout: installMs });
  });
  return join(folder, 'bin');
}

/** An ssh_config in which the machines have the names `m1`, `m2` …; their host keys are not checked, which spares the peers that work. */
export async function writeSshConfig(dir: string, machines: readonly Sshd[]): Promise<string> {
  await mkdir(dir, { recursive: true });
  const lines = machines.flatMap(({ target }, index) => [
    `Host m${index + 1}`,
    `  HostName ${target.host}`,
    `  Port ${target.port}`,
    `  User ${target.user}`,
    `  IdentityFile ${target.keyFile}`,
  ]);
  const all = ['Host *', '  IdentitiesOnly yes', '  BatchMode yes', '  StrictHostKeyChecking no', '  UserKnownHostsFile /dev/null', '  LogLevel ERROR']; // prettier-ignore
  const file = join(dir, 'ssh_config');
  await writeFile(file, `${[...lines, ...all].join('\n')}\n`);
  return file;
}
