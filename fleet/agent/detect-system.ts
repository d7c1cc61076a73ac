import { createHash } from 'node:crypto';
import { readdirSync, statSync } from 'node:fs';
import { cpus, hostname, release, version as systemVersion } from 'node:os';
import { join } from 'node:path';
import type { NodeFacts } from '../../contracts/node.ts';

import { readIfThere } from './layout.ts';
import { type ProgramPlace, runProgram } from './run-program.ts';

const timeoutMs = 5_000;

/** Kernel, distribution, C library and processor; what cannot be found out is left out. */
export async function detectSystem(
  login: ProgramPlace,
): Promise<Pick<NodeFacts, 'kernel' | 'release' | 'libc' | 'cpuModel'>> {
  const [distribution, libc] = await Promise.all([detectRelease(login), detectLibc(login)]);
  const cpuModel = cpus()[0]?.model.trim().replace(/\s+/g, ' ');
  return {
    kernel: release(),
    ...(distribution ? { release: distribution } : {}),
    ...(libc ? { libc } : {}),
    ...(cpuModel && cpuModel !== 'unknown' ? { cpuModel } : {}),
  };
}

async function detectRelease(login: ProgramPlace): Promise<NodeFacts['release']> {
  if (process.platform === 'darwin') {
    const { end, output } = await runProgram('sw_vers', ['-productVersion'], login, timeoutMs);
    const version = output.trim();
    return end === 'succeeded' ? { id: 'macos', version, name: `macOS ${version}` } : undefined;
  }
  if (process.platform === 'win32') return { id: 'windows', version: release(), name: systemVersion() };
  const text = readIfThere('/etc/os-release') ?? readIfThere('/usr/lib/os-release');
  return text === undefined ? undefined : readOsRelease(text);
}

/** See os-release(5): shell assignments, of which values may be quoted. */
export function readOsRelease(text: string): NodeFacts['release'] {
  const values = new Map(
    text.split('\n').flatMap((line): [string, string][] => {
      const [, name, value] = /^\s*([A-Z_]+)=(.*?)\s*$/.exec(line) ?? [];
      if (name === undefined || value === undefined) return [];
      return [[name, value.replace(/^(["'])(.*)\1$/, '$2').replace(/\\(.)/g, '$1')]];
    }),
  );
  const id = values.get('ID');
  if (!id) return undefined;
  const version = values.get('VERSION_ID') ?? '';
  return { id, version, name: values.get('PRETTY_NAME') ?? `${id} ${version}`.trim() };
}

/** Nothing where there is only one C library. The library that this process runs with is the one programs made here are for. */
async function detectLibc(login: ProgramPlace): Promise<NodeFacts['libc']> {
  if (process.platform !== 'linux') return undefined;
  // Without this the report looks up the names of all peers.
  Object.assign(process.report, { excludeNetwork: true });
  const { header } = process.report.getReport() as { header?: { glibcVersionRuntime?: string } };
  if (header?.glibcVersionRuntime) return { name: 'glibc', version: header.glibcVersionRuntime };
  const loader = readdirSync('/lib').find((name) => name.startsWith('ld-musl-'));
  const said = loader ? (await runProgram(join('/lib', loader), [], login, timeoutMs)).errors : '';
  return { name: 'musl', version: /Version (\d[\w.]*)/.exec(said)?.[1] ?? '' };
}

/**
 * Which machine this is and which folder of it the node uses. Machine ids are often copied with an image; the id of the boot is not, and it is
 * shared by the containers of a machine.
 */
export async function detectMachine(login: ProgramPlace, root: string): Promise<NonNullable<NodeFacts['machine']>> {
  const ask = async (name: string, ...parameters: string[]): Promise<string> =>
    (await runProgram(name, parameters, login, timeoutMs)).output;
  const marks =
    process.platform === 'linux'
      ? [readIfThere('/etc/machine-id'), readIfThere('/proc/sys/kernel/random/boot_id')]
      : process.platform === 'win32'
        ? [await ask('reg', 'query', 'HKLM\\SOFTWARE\\Microsoft\\Cryptography', '/v', 'MachineGuid'), hostname()]
        : [await ask('sysctl', '-n', 'kern.bootsessionuuid', 'kern.hostuuid')];
  const text = marks.map((mark) => mark?.trim() ?? '').join('\n');
  const { dev, ino } = statSync(root, { bigint: true });
  return {
    id: createHash('sha256')
      .update(text.trim() || hostname())
      .digest('hex')
      .slice(0, 32),
    folder: `${dev}:${ino}`,
  };
}
