import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { open, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { HelixError } from '../../contracts/error.ts';
import type { HubFile, ModelHub } from './hub.ts';
import type { OnProgress } from './progress.ts';

export interface DownloadOptions {
  signal: AbortSignal;
  onProgress: OnProgress;
  /** How often a download that broke off is taken up again when it brought nothing new; 5 when left out. */
  attempts?: number;
  /** Silence after which a download counts as broken off. */
  stallMs?: number;
}

/**
 * Downloads a file into `folder`, or the rest of it, and verifies it; it stands there under `name` only when it is whole. What has come when it
 * breaks off stays in a part file named by the hash, so that parts of another version are never mixed in.
 * Throws what the hub throws, and `llm.malformed-answer` when the bytes are not those of the hash: then the part is removed.
 */
export async function download(
  hub: Pick<ModelHub, 'fetch'>,
  repository: string,
  file: HubFile,
  folder: string,
  name: string,
  options: DownloadOptions,
): Promise<void> {
  const part = join(folder, partName(file.sha256));
  const what = `downloading ${name}`;
  let failures = 0;
  for (;;) {
    const before = await sizeOf(part);
    if (before >= file.bytes) break;
    try {
      await appendRest(hub, repository, file, part, before, what, options);
    } catch (error) {
      options.signal.throwIfAborted();
      failures = (await sizeOf(part)) > before ? 0 : failures + 1;
      if (!isPassing(error) || failures >= (options.attempts ?? 5)) throw resumable(error, name);
      await sleep(Math.min(500 * 2 ** failures, 10_000), undefined, { signal: options.signal });
    }
  }
  await verify(part, file, name, options);
  await rename(part, join(folder, name));
}

export function partName(sha256: string): string {
  return `${sha256}.part`;
}

export async function sizeOf(path: string): Promise<number> {
  return (await stat(path).catch(() => undefined))?.size ?? 0;
}

async function appendRest(
  hub: Pick<ModelHub, 'fetch'>,
  repository: string,
  file: HubFile,
  part: string,
  offset: number,
  what: string,
  { signal, onProgress, stallMs = 60_000 }: DownloadOptions,
): Promise<void> {
  const stalled = new AbortController();
  const watch = (): NodeJS.Timeout =>
    setTimeout(() => stalled.abort(new Error(`nothing came for ${stallMs} ms`)), stallMs);
  const response = await hub.fetch(repository, file, offset, AbortSignal.any([signal, stalled.signal]));
  const begins = beginOf(response, offset);
  const handle = await open(part, begins === 0 ? 'w' : 'a');
  let timer = watch();
  try {
    let at = begins;
    for await (const chunk of (response.body ?? []) as AsyncIterable<Uint8Array>) {
      clearTimeout(timer);
      await handle.write(chunk);
      at += chunk.length;
      onProgress({ what, completedBytes: Math.min(at, file.bytes), totalBytes: file.bytes });
      if (at > file.bytes)
        throw new HelixError('llm.malformed-answer', `the hub sends more bytes of ${file.path} than it has`);
      timer = watch();
    }
    if (at < file.bytes) throw new Error(`the connection ended at ${at} of ${file.bytes} bytes`);
  } finally {
    clearTimeout(timer);
    await handle.close();
    await response.body?.cancel().catch(() => undefined);
  }
}

/** Where the answer begins: a server that knows no ranges sends all of it again. */
function beginOf(response: Response, offset: number): number {
  if (response.status !== 206) return 0;
  const [, from] = /^bytes (\d+)-/.exec(response.headers.get('content-range') ?? '') ?? [];
  if (Number(from) === offset) return offset;
  throw new HelixError('llm.malformed-answer', 'the hub answers with another part of the file than it was asked for');
}

async function verify(
  part: string,
  file: HubFile,
  name: string,
  { signal, onProgress }: DownloadOptions,
): Promise<void> {
  const found = await sha256Of(part, signal, (completedBytes) =>
    onProgress({ what: `verifying ${name}`, completedBytes, totalBytes: file.bytes }),
  );
  if (found === file.sha256) return;
  await rm(part, { force: true });
  throw new HelixError(
    'llm.malformed-answer',
    `${name} was downloaded, but its SHA-256 is ${found} instead of ${file.sha256}: it was removed; pull it again, from another mirror if this repeats`,
  );
}

export async function sha256Of(path: string, signal: AbortSignal, onBytes: (bytes: number) => void): Promise<string> {
  const hash = createHash('sha256');
  let bytes = 0;
  for await (const chunk of createReadStream(path, { signal, highWaterMark: 1 << 20 }) as AsyncIterable<Buffer>) {
    hash.update(chunk);
    onBytes((bytes += chunk.length));
  }
  return hash.digest('hex');
}

/** Whether trying again may help: broken connections and servers in trouble, also an address that has expired meanwhile. */
function isPassing(error: unknown): boolean {
  return error instanceof HelixError ? error.code === 'llm.unavailable' : !isDiskError(error);
}

function isDiskError(error: unknown): boolean {
  return ['ENOSPC', 'EDQUOT', 'EIO', 'EROFS', 'EACCES'].includes((error as NodeJS.ErrnoException).code ?? '');
}

function resumable(error: unknown, name: string): unknown {
  if (error instanceof HelixError && error.code !== 'llm.unavailable') return error;
  const { message, code } = error as NodeJS.ErrnoException;
  if (code === 'ENOSPC' || code === 'EDQUOT')
    return new HelixError(
      'node.disk-full',
      `the disk is full at ${name}: make room and pull again, which goes on from there`,
      {
        cause: error,
      },
    );
  return new HelixError(
    'llm.unavailable',
    `the download of ${name} broke off (${message}): pull again to go on from there`,
    {
      cause: error,
    },
  );
}
