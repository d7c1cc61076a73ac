import { execFile, spawn } from 'node:child_process';
import { mkdtemp, readdir, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);
const leastGo = { major: 1, minor: 25 };
const progressMs = 10_000;

export interface BuildOptions {
  target: string;
  version: string;
  env: NodeJS.ProcessEnv;
  onProgress: (line: string) => void;
}

/** Builds the CLI with the machine's Go (1.25 or later) and puts it at `target` whole. Takes minutes. */
export async function buildTemporalCli(options: BuildOptions): Promise<void> {
  const { target, version, env, onProgress } = options;
  await requireGo(env);
  const folder = await mkdtemp(join(dirname(target), 'build-'));
  const startedAt = Date.now();
  const seconds = () => Math.round((Date.now() - startedAt) / 1000);
  onProgress(`building the Temporal CLI ${version} with Go; this takes some minutes, once`);
  const timer = setInterval(() => onProgress(`building the Temporal CLI (${seconds()} s)`), progressMs);
  try {
    await goInstall(`github.com/temporalio/cli/cmd/temporal@v${version}`, { ...env, GOBIN: folder, GOFLAGS: '' });
    const [program] = await readdir(folder);
    if (!program) throw new Error('go install made no program');
    await rename(join(folder, program), target);
  } finally {
    clearInterval(timer);
    await rm(folder, { recursive: true, force: true });
  }
}

async function requireGo(env: NodeJS.ProcessEnv): Promise<void> {
  const { stdout } = await run('go', ['env', 'GOVERSION', 'GOTOOLCHAIN'], { env }).catch((error: unknown) => {
    throw new Error('Go is not installed', { cause: error });
  });
  const [version = '', toolchain = ''] = stdout.trim().split('\n');
  const [, major, minor] = /^go(\d+)\.(\d+)/.exec(version) ?? [];
  const isEnough = Number(major) > leastGo.major || (Number(major) === leastGo.major && Number(minor) >= leastGo.minor);
  // Any Go since 1.21 fetches a newer toolchain by itself unless it is told to stay local.
  const canFetch = toolchain !== 'local' && Number(minor) >= 21;
  if (!isEnough && !canFetch)
    throw new Error(`${version} is too old: Go ${leastGo.major}.${leastGo.minor} or later is needed`);
}

async function goInstall(module: string, env: NodeJS.ProcessEnv): Promise<void> {
  const words: string[] = [];
  await new Promise<void>((resolve, reject) => {
    const child = spawn('go', ['install', module], { env, stdio: ['ignore', 'ignore', 'pipe'] });
    child.stderr.setEncoding('utf8').on('data', (text: string) => words.push(text));
    child.once('error', reject);
    child.once('close', (code) => {
      if (code === 0) return resolve();
      const last = words.join('').trim().split('\n').slice(-3).join(' ');
      reject(new Error(`go install ${module} failed: ${last}`));
    });
  });
}
