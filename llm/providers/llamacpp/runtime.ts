import { spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { HelixError } from '../../../contracts/error.ts';
import { exclusively } from '../../local/exclusive.ts';
import type { OnProgress } from '../../local/progress.ts';
import { type Build, isOfThisPlatform } from './builds.ts';

/** Its prebuilt packages carry the same number. */
const version = '3.22.1';

const record = 'installed.json';

/** Puts a build into an empty folder, record and all, from elsewhere than npm's registry. */
export type RuntimeSource = (
  build: Build,
  folder: string,
  onProgress: OnProgress,
  signal: AbortSignal,
) => Promise<void>;

/** Where a build is, or will be. */
function folderOf(home: string, build: Build): string {
  return join(home, 'llama-cpp', version, build.packages[0]!);
}

/** Whether the build is there and whole. */
export async function isInstalled(home: string, build: Build): Promise<boolean> {
  const folder = folderOf(home, build);
  const text = await readFile(join(folder, record), 'utf8').catch(() => undefined);
  if (text === undefined) return false;
  const packages = ['node-llama-cpp', ...build.packages.map((name) => `@node-llama-cpp/${name}`)];
  return packages.every((name) => existsSync(join(folder, 'node_modules', name, 'package.json')));
}

/**
 * node-llama-cpp with one build of llama.cpp, fetched with npm when it is not there: about 85 MB for the processor alone, which is why it is no
 * dependency of Helix. Returns the folder that holds its node_modules. Made aside and renamed, so that a half install is never taken for one; one
 * process installs, others wait. Where npm cannot fetch it, `elsewhere` is asked. Throws `llm.unavailable` when npm cannot fetch it, `llm.not-configured`
 * when there is no npm.
 */
export async function ensureRuntime(
  home: string,
  build: Build,
  onProgress: OnProgress,
  signal: AbortSignal = new AbortController().signal,
  elsewhere?: RuntimeSource,
): Promise<string> {
  const folder = folderOf(home, build);
  if (await isInstalled(home, build)) return folder;
  await mkdir(dirname(folder), { recursive: true });
  await exclusively(
    `${folder}.lock`,
    async () => {
      if (await isInstalled(home, build)) return;
      await removeDrafts(folder);
      const draft = `${folder}.draft-${randomUUID()}`;
      await mkdir(draft);
      try {
        await install(draft, build, onProgress, signal).catch(async (error: unknown) => {
          if (!elsewhere || !(error instanceof HelixError)) throw error;
          onProgress({ what: 'npm cannot fetch llama.cpp here: it is sent by the controller' });
          await rm(draft, { recursive: true, force: true });
          await mkdir(draft);
          await elsewhere(build, draft, onProgress, signal);
        });
        await rm(folder, { recursive: true, force: true });
        await rename(draft, folder);
      } finally {
        await rm(draft, { recursive: true, force: true });
      }
    },
    signal,
  );
  return folder;
}

/** What installs that were killed have left. */
async function removeDrafts(folder: string): Promise<void> {
  const parent = dirname(folder);
  const prefix = `${folder.slice(parent.length + 1)}.draft-`;
  const left = (await readdir(parent)).filter((name) => name.startsWith(prefix));
  await Promise.all(left.map((name) => rm(join(parent, name), { recursive: true, force: true })));
}

async function install(folder: string, build: Build, onProgress: OnProgress, signal: AbortSignal): Promise<void> {
  const packages = [`node-llama-cpp@${version}`, ...build.packages.map((name) => `@node-llama-cpp/${name}@${version}`)];
  await writeFile(join(folder, 'package.json'), '{"private":true}\n');
  const what = `fetching llama.cpp ${version} (${build.packages[0]})`;
  onProgress({ what });
  const startedAt = Date.now();
  const timer = setInterval(
    () => onProgress({ what: `${what}, ${Math.round((Date.now() - startedAt) / 1000)} s` }),
    2_000,
  );
  try {
    // Optional packages are the builds for every other machine: 900 MB. Scripts would compile what is fetched.
    const args = [
      'install',
      '--omit=optional',
      '--ignore-scripts',
      '--no-save',
      '--no-audit',
      '--no-fund',
      '--loglevel=error',
      // What is for another machine would be refused.
      ...(isOfThisPlatform(build) ? [] : ['--force']),
    ];
    await npm([...args, '--prefix', folder, ...packages], folder, signal);
  } finally {
    clearInterval(timer);
  }
  await writeFile(join(folder, record), `${JSON.stringify({ packages, installedAt: new Date().toISOString() })}\n`);
}

async function npm(args: string[], cwd: string, signal: AbortSignal): Promise<void> {
  const env = Object.fromEntries(
    Object.entries(process.env).filter(([name]) => !/^(npm_(?!config_)|INIT_CWD$)/.test(name)),
  );
  const child = spawn('npm', args, {
    cwd,
    env,
    signal,
    stdio: ['ignore', 'ignore', 'pipe'],
    shell: process.platform === 'win32',
  });
  let said = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => (said = (said + text).slice(-2_000)));
  let code: number | null;
  try {
    [code] = (await once(child, 'close')) as [number | null];
  } catch (error) {
    signal.throwIfAborted();
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    throw new HelixError(
      'llm.not-configured',
      'llama.cpp is fetched with npm, which is not on PATH: install npm, or use ollama',
      {
        cause: error,
      },
    );
  }
  if (code === 0) return;
  const reason = said.trim().replace(/\s+/g, ' ');
  throw new HelixError(
    'llm.unavailable',
    `npm could not fetch llama.cpp (exit code ${code}${reason === '' ? '' : `: ${reason}`}): check the network and npm's registry, and try again`,
  );
}
