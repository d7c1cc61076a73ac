import { statfs } from 'node:fs/promises';
import { availableParallelism, cpus, hostname, totalmem } from 'node:os';
import type { NodeFacts } from '../../contracts/node.ts';
import { detectGpus } from './detect-gpus.ts';
import { detectMachine, detectSystem } from './detect-system.ts';
import { detectTools } from './detect-tools.ts';
import type { LoginEnvironment } from './environment.ts';

/**
 * Looks at the machine, everything at once and within half a minute, whatever hangs. Programs are found on the login shell's PATH and asked
 * for their versions; one that is too slow this time keeps the version of `earlier`. `root` is the folder of the node.
 */
export async function detectFacts(
  login: LoginEnvironment,
  root: string,
  earlier: NodeFacts['tools'] = {},
): Promise<NodeFacts> {
  const [system, tools, disk, gpus, machine] = await Promise.all([
    detectSystem(login),
    detectTools(login, earlier),
    statfs(root),
    detectGpus(login),
    detectMachine(login, root),
  ]);
  return {
    os: process.platform,
    arch: process.arch,
    ...system,
    hostname: hostname(),
    cpus: Math.max(1, typeof availableParallelism === 'function' ? availableParallelism() : cpus().length),
    memory: usableMemory(),
    diskTotal: disk.blocks * disk.bsize,
    diskFree: disk.bavail * disk.bsize,
    tools,
    gpus,
    machine,
  };
}

/** What a control group allows counts where it is less than what the machine has. */
function usableMemory(): number {
  const limit = process.constrainedMemory?.() ?? 0;
  return limit > 0 ? Math.min(limit, totalmem()) : totalmem();
}
