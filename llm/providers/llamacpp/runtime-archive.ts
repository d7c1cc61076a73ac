import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createWriteStream } from 'node:fs';
import { mkdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { createGzip } from 'node:zlib';
import { HelixError } from '../../../contracts/error.ts';
import { download, sha256Of } from '../../local/download.ts';
import { exclusively } from '../../local/exclusive.ts';
import type { HubFile, ModelHub } from '../../local/hub.ts';
import type { OnProgress } from '../../local/progress.ts';
import type { Build } from './builds.ts';
import { ensureRuntime } from './runtime.ts';

interface Archive {
  file: string;
  bytes: number;
  sha256: string;
}

/** A build as one file, for a machine that cannot fetch it itself; of this machine's kind or not. Throws as `ensureRuntime` does. */
export async function runtimeArchive(
  home: string,
  build: Build,
  onProgress: OnProgress,
  signal: AbortSignal,
): Promise<Archive> {
  const folder = await ensureRuntime(home, build, onProgress, signal);
  const file = `${folder}.tgz`;
  const record = `${file}.json`;
  const known = async (): Promise<Archive | undefined> => {
    const text = await readFile(record, 'utf8').catch(() => undefined);
    return text === undefined ? undefined : { file, ...(JSON.parse(text) as Omit<Archive, 'file'>) };
  };
  return exclusively(
    `${file}.lock`,
    async () => {
      const there = await known();
      if (there && (await stat(file).catch(() => undefined))?.size === there.bytes) return there;
      onProgress({ what: `packing llama.cpp (${build.packages[0]})` });
      await pack(folder, `${file}.draft`, signal);
      await rename(`${file}.draft`, file);
      const { size: bytes } = await stat(file);
      const made = { bytes, sha256: await sha256Of(file, signal, () => undefined) };
      await writeFile(record, JSON.stringify(made));
      return { file, ...made };
    },
    signal,
  );
}

/** Downloads an archive, or the rest of it, next to `draft` and unpacks it there. */
export async function unpackRuntime(
  source: Pick<ModelHub, 'fetch'>,
  archive: HubFile,
  draft: string,
  onProgress: OnProgress,
  signal: AbortSignal,
): Promise<void> {
  const parent = join(draft, '..');
  const name = `${archive.sha256}.tgz`;
  await download(source, '', archive, parent, name, { signal, onProgress });
  try {
    await mkdir(draft, { recursive: true });
    const child = spawn('tar', ['-xzf', join(parent, name), '-C', draft], {
      signal,
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    await ended(child, signal);
  } finally {
    await rm(join(parent, name), { force: true });
  }
}

async function pack(folder: string, file: string, signal: AbortSignal): Promise<void> {
  const child = spawn('tar', ['-cf', '-', '-C', folder, '.'], { signal, stdio: ['ignore', 'pipe', 'pipe'] });
  // What is packed are mostly libraries: more effort saves little.
  const packed = pipeline(child.stdout, createGzip({ level: 1 }), createWriteStream(file), { signal });
  await Promise.all([ended(child, signal), packed]);
}

async function ended(child: ReturnType<typeof spawn>, signal: AbortSignal): Promise<void> {
  let said = '';
  child.stderr?.setEncoding('utf8').on('data', (text: string) => (said = (said + text).slice(-500)));
  try {
    const [code] = (await once(child, 'close')) as [number | null];
    if (code === 0) return;
    throw new Error(`exit code ${code}: ${said.trim()}`);
  } catch (error) {
    signal.throwIfAborted();
    throw new HelixError('node.unsuitable', `tar failed (${(error as Error).message}): llama.cpp is packed with it`, {
      cause: error,
    });
  }
}
