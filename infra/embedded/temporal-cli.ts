import { spawn } from 'node:child_process';
import { constants } from 'node:fs';
import { access, mkdir } from 'node:fs/promises';
import { homedir } from 'node:os';
import { delimiter, isAbsolute, join, resolve } from 'node:path';
import { HelixError } from '../../contracts/error.ts';
import { withLock } from '../bootstrap/lock.mjs';
import { buildTemporalCli } from './temporal-cli-build.ts';
import { downloadTemporalCli } from './temporal-cli-download.ts';

export const temporalCliVersion = '1.5.1';

export interface TemporalCliOptions {
  env?: NodeJS.ProcessEnv;
  onProgress: (line: string) => void;
  /** Where the SDK downloads from; tests have a server of their own. */
  downloadUrl?: string;
}

/**
 * The path of a Temporal CLI: HELIX_TEMPORAL_CLI, `temporal` on PATH, Helix's cache, the download that the SDK uses, or built by Go.
 * Throws `stack.unreachable` listing what was tried.
 */
export async function resolveTemporalCli(options: TemporalCliOptions): Promise<string> {
  const env = options.env ?? process.env;
  const named = env['HELIX_TEMPORAL_CLI'];
  if (named) {
    if (await isExecutable(named)) return resolve(named);
    throw new HelixError(
      'usage.invalid',
      `HELIX_TEMPORAL_CLI is ${JSON.stringify(named)}; allowed is the path of a program that can be run`,
    );
  }
  const found = (await onPath(env)) ?? (await inCache(env));
  if (found) return found;
  const target = cachedPath(env);
  await mkdir(join(target, '..'), { recursive: true });
  const waiting = (pid: number) => options.onProgress(`waiting for process ${pid}, which is fetching the Temporal CLI`);
  return withLock(`${target}.lock`, async () => (await inCache(env)) ?? fetchCli(target, env, options), waiting);
}

async function fetchCli(target: string, env: NodeJS.ProcessEnv, options: TemporalCliOptions): Promise<string> {
  const { onProgress } = options;
  const tried: string[] = [];
  const ways = {
    download: () =>
      downloadTemporalCli({ target, version: temporalCliVersion, onProgress, baseUrl: options.downloadUrl }),
    'go install': () => buildTemporalCli({ target, version: temporalCliVersion, env, onProgress }),
  };
  for (const [name, way] of Object.entries(ways)) {
    try {
      await way();
      if (!(await runs(target))) throw new Error('what came does not run on this machine');
      onProgress(`the Temporal CLI is at ${target}`);
      return target;
    } catch (error) {
      tried.push(`${name}: ${(error as Error).message}`);
      onProgress(`Temporal CLI by ${tried.at(-1)}`);
    }
  }
  throw new HelixError(
    'stack.unreachable',
    [
      `the Temporal CLI, which runs the embedded Temporal server, could not be found or fetched:`,
      '  HELIX_TEMPORAL_CLI: not set',
      '  PATH: no program "temporal"',
      `  cache: nothing at ${target}`,
      ...tried.map((line) => `  ${line}`),
      'Install it (https://docs.temporal.io/cli) and put it on PATH or set HELIX_TEMPORAL_CLI to it, or set TEMPORAL_ADDRESS to a server of your own.',
    ].join('\n'),
  );
}

function cachedPath(env: NodeJS.ProcessEnv): string {
  const xdg = env['XDG_CACHE_HOME'];
  const cache = xdg && isAbsolute(xdg) ? xdg : join(env['HOME'] || homedir(), '.cache');
  return join(cache, 'helixcode', 'bin', `temporal-${temporalCliVersion}${process.platform === 'win32' ? '.exe' : ''}`);
}

async function inCache(env: NodeJS.ProcessEnv): Promise<string | undefined> {
  const path = cachedPath(env);
  return (await isExecutable(path)) ? path : undefined;
}

async function onPath(env: NodeJS.ProcessEnv): Promise<string | undefined> {
  const name = process.platform === 'win32' ? 'temporal.exe' : 'temporal';
  for (const folder of (env['PATH'] ?? '').split(delimiter).filter(Boolean)) {
    if (await isExecutable(join(folder, name))) return join(folder, name);
  }
  return undefined;
}

async function isExecutable(path: string): Promise<boolean> {
  return access(path, constants.X_OK).then(
    () => true,
    () => false,
  );
}

async function runs(cli: string): Promise<boolean> {
  return new Promise((settle) => {
    const child = spawn(cli, ['--version'], { stdio: 'ignore', timeout: 30_000 });
    child.once('error', () => settle(false));
    child.once('exit', (code) => settle(code === 0));
  });
}
