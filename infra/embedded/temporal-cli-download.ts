import { execFile } from 'node:child_process';
import { createWriteStream } from 'node:fs';
import { chmod, mkdtemp, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { Readable } from 'node:stream';
import type { ReadableStream } from 'node:stream/web';
import { pipeline } from 'node:stream/promises';
import { promisify } from 'node:util';
import { z } from 'zod';

const run = promisify(execFile);

const connectTimeoutMs = 4000;
const stallTimeoutMs = 30_000;

const downloadInfoSchema = z.object({ archiveUrl: z.url(), fileToExtract: z.string().regex(/^[\w.-]+$/) });

export interface DownloadOptions {
  target: string;
  version: string;
  onProgress: (line: string) => void;
  baseUrl?: string | undefined;
}

/** Fetches the CLI from the address that the SDK's own ephemeral server is fetched from, and puts it at `target` whole. */
export async function downloadTemporalCli(options: DownloadOptions): Promise<void> {
  const { target, version, onProgress } = options;
  const query = new URLSearchParams({
    arch: process.arch === 'x64' ? 'amd64' : process.arch,
    platform: platform(),
    format: 'tar.gz',
  });
  const base = options.baseUrl ?? 'https://temporal.download';
  onProgress(`downloading the Temporal CLI ${version} from ${new URL(base).host}`);
  const answer = await request(`${base}/cli/v${version}?${query.toString()}`);
  const info = downloadInfoSchema.parse(await answer.json());
  const folder = await mkdtemp(join(dirname(target), 'download-'));
  try {
    const archive = join(folder, 'archive.tar.gz');
    await save(await request(info.archiveUrl), archive, onProgress);
    await run('tar', ['-xzf', archive, '-C', folder, info.fileToExtract]);
    await chmod(join(folder, info.fileToExtract), 0o755);
    await rename(join(folder, info.fileToExtract), target);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

function platform(): string {
  return process.platform === 'win32' ? 'windows' : process.platform;
}

/** Gives up soon when nobody answers: offline, the next way should begin. */
async function request(url: string): Promise<Response> {
  const limit = new AbortController();
  const timer = setTimeout(
    () => limit.abort(new Error(`no answer within ${connectTimeoutMs / 1000} s`)),
    connectTimeoutMs,
  );
  try {
    const answer = await fetch(url, { signal: limit.signal });
    if (!answer.ok) throw new Error(`${new URL(url).host} answered ${answer.status}`);
    return answer;
  } catch (error) {
    const { message, cause } = error as Error;
    throw new Error(
      cause instanceof Error ? `${message}: ${cause.message || (cause as { code?: string }).code}` : message,
      { cause: error },
    );
  } finally {
    clearTimeout(timer);
  }
}

async function save(answer: Response, path: string, onProgress: (line: string) => void): Promise<void> {
  const total = Number(answer.headers.get('content-length')) || 0;
  let received = 0;
  let told = Date.now();
  const stalled = new AbortController();
  const abort = () => stalled.abort(new Error(`nothing came for ${stallTimeoutMs / 1000} s`));
  let timer = setTimeout(abort, stallTimeoutMs);
  const body = Readable.fromWeb(answer.body as ReadableStream);
  body.on('data', (chunk: Buffer) => {
    clearTimeout(timer);
    timer = setTimeout(abort, stallTimeoutMs);
    received += chunk.length;
    if (Date.now() - told < 2000) return;
    told = Date.now();
    onProgress(`downloading the Temporal CLI: ${megabytes(received)}${total ? ` of ${megabytes(total)}` : ''} MB`);
  });
  try {
    await pipeline(body, createWriteStream(path), { signal: stalled.signal });
  } finally {
    clearTimeout(timer);
  }
}

function megabytes(bytes: number): string {
  return (bytes / 1e6).toFixed(0);
}
