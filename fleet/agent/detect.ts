import { execFile } from 'node:child_process';
import { accessSync, constants, existsSync, readdirSync } from 'node:fs';
import { statfs } from 'node:fs/promises';
import { availableParallelism, cpus, hostname, totalmem } from 'node:os';
import { join } from 'node:path';
import type { NodeFacts } from '../../contracts/node.ts';
import type { LoginEnvironment } from './environment.ts';

/** Looked for on every node; asked with `--version` unless said otherwise below. */
const programs = `git node npm pnpm yarn bun deno go cargo rustc python python3 pip pytest poetry uv tox
  java javac mvn gradle ruby bundle php composer dotnet make cmake ninja gcc g++ cc clang docker podman
  bash curl unzip jq tar zstd ssh`.split(/\s+/);

const versionParameters: Record<string, string[]> = {
  go: ['version'],
  java: ['-version'],
  javac: ['-version'],
  docker: ['version', '--format', '{{.Server.Version}}'],
  unzip: ['-v'],
  ssh: ['-V'],
};

/** Looks at the machine. Programs are found on the login shell's PATH and asked for their versions all at once. */
export async function detectFacts(login: LoginEnvironment, root: string): Promise<NodeFacts> {
  const [tools, disk, gpu] = await Promise.all([detectTools(login), statfs(root), detectGpu(login)]);
  return {
    os: process.platform,
    arch: process.arch,
    hostname: hostname(),
    cpus: Math.max(1, typeof availableParallelism === 'function' ? availableParallelism() : cpus().length),
    memory: totalmem(),
    diskFree: disk.bavail * disk.bsize,
    tools,
    gpu,
  };
}

/** The C library, which decides whether a made layer fits: `glibc 2.36`, `musl`, or nothing where there is only one. */
export async function detectLibc(login: LoginEnvironment): Promise<string> {
  if (process.platform !== 'linux') return '';
  const { succeeded, output } = await run('getconf', ['GNU_LIBC_VERSION'], login);
  return succeeded ? output.trim() : 'musl';
}

export function findProgram(name: string, path: string): string | undefined {
  for (const folder of path.split(':').filter(Boolean)) {
    try {
      accessSync(join(folder, name), constants.X_OK);
      return join(folder, name);
    } catch {
      // Not in this folder.
    }
  }
  return undefined;
}

/** Version by program found on the PATH; empty when the program does not say. */
async function detectTools(login: LoginEnvironment): Promise<Record<string, string>> {
  const found = programs.filter((name) => findProgram(name, login.path) !== undefined);
  const versions = await Promise.all(
    found.map(async (name) => {
      const { succeeded, output } = await run(name, versionParameters[name] ?? ['--version'], login);
      // A docker without a daemon to talk to runs no container.
      if (name === 'docker' && !succeeded) return [];
      return [[name, succeeded ? readVersion(output) : '']];
    }),
  );
  return Object.fromEntries(versions.flat()) as Record<string, string>;
}

/** The first thing with dots in it that looks like a version, else the first number. */
function readVersion(output: string): string {
  return (/\d+(?:\.\d+)+[0-9A-Za-z.+-]*/.exec(output) ?? /\b\d+\b/.exec(output))?.[0] ?? '';
}

async function detectGpu(login: LoginEnvironment): Promise<boolean> {
  if (process.platform === 'darwin') return true;
  if (existsSync('/dev/kfd')) return true;
  if (findProgram('nvidia-smi', login.path) === undefined) return hasNvidiaDevice();
  const { succeeded, output } = await run('nvidia-smi', ['-L'], login);
  return succeeded && /^GPU \d/m.test(output);
}

function hasNvidiaDevice(): boolean {
  try {
    return readdirSync('/dev').some((name) => /^nvidia\d+$/.test(name));
  } catch {
    return false;
  }
}

/** Runs a program for what it prints, at most 10 s; some print their version to the error stream. */
function run(
  name: string,
  parameters: string[],
  login: LoginEnvironment,
): Promise<{ succeeded: boolean; output: string }> {
  const env = { PATH: login.path, HOME: login.home, LANG: 'C', COREPACK_ENABLE_DOWNLOAD_PROMPT: '0' };
  const options = { env, timeout: 10_000, killSignal: 'SIGKILL' as const, maxBuffer: 1 << 20, cwd: '/' };
  return new Promise((done) => {
    const child = execFile(findProgram(name, login.path) ?? name, parameters, options, (error, output, errors) =>
      done({ succeeded: !error, output: `${output}\n${errors}` }),
    );
    child.stdin?.end();
  });
}
