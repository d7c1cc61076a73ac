import { createHash } from 'node:crypto';
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import type { NodeProgram } from '../node-program.ts';

export interface AgentBundle {
  /** Absolute path of the one file. */
  file: string;
  /** First 16 hex digits of the SHA-256 of its content; part of its name. */
  hash: string;
  sha256: string;
}

/** A program for nodes: its name, the file that it begins with, and code to run before that. */
export interface ProgramSource {
  name: string;
  entry: string;
  before?: string;
}

interface Manifest extends NodeProgram {
  /** SHA-256 of each source file, by absolute path. */
  sources: Record<string, string>;
}

/** The agent as one file; see `bundleProgram`. */
export async function bundleAgent(cacheDir: string): Promise<AgentBundle> {
  const { file, sha256 } = await bundleProgram(
    { name: 'agent', entry: join(import.meta.dirname, 'main.ts') },
    cacheDir,
  );
  return { file, hash: sha256.slice(0, 16), sha256 };
}

/**
 * A program as one file for Node 20 or later. Made at most once per state of the sources: the folder remembers what went into it, so
 * that the bundler is not even loaded when nothing changed.
 */
export async function bundleProgram({ name, entry, before }: ProgramSource, cacheDir: string): Promise<NodeProgram> {
  const manifestFile = join(resolve(cacheDir), `${name}.json`);
  const remembered = await readManifest(manifestFile);
  if (remembered && (await isUpToDate(remembered))) return { name, file: remembered.file, sha256: remembered.sha256 };

  const { build } = await import('esbuild');
  const workingDir = resolve(import.meta.dirname, '../..');
  const result = await build({
    entryPoints: [entry],
    absWorkingDir: workingDir,
    bundle: true,
    write: false,
    metafile: true,
    platform: 'node',
    format: 'esm',
    target: 'node20',
    legalComments: 'none',
    ...(before === undefined ? {} : { banner: { js: before } }),
    logLevel: 'silent',
  });
  const content = result.outputFiles[0]!.contents;
  const hash = sha256(content);
  const file = join(resolve(cacheDir), `${name}-${hash.slice(0, 16)}.mjs`);
  await mkdir(cacheDir, { recursive: true });
  await replaceFile(file, content);
  const inputs = Object.keys(result.metafile.inputs).map((path) => resolve(workingDir, path));
  const hashes = await Promise.all(inputs.map(async (path) => [path, sha256(await readFile(path))] as const));
  await replaceFile(
    manifestFile,
    JSON.stringify({ name, file, sha256: hash, sources: Object.fromEntries(hashes) } satisfies Manifest),
  );
  return { name, file, sha256: hash };
}

async function readManifest(file: string): Promise<Manifest | undefined> {
  try {
    return JSON.parse(await readFile(file, 'utf8')) as Manifest;
  } catch {
    return undefined;
  }
}

async function isUpToDate({ file, sha256: hash, sources }: Manifest): Promise<boolean> {
  try {
    const checks = Object.entries(sources).map(async ([path, expected]) => sha256(await readFile(path)) === expected);
    const content = readFile(file).then((bytes) => sha256(bytes) === hash);
    return (await Promise.all([...checks, content])).every(Boolean);
  } catch {
    return false;
  }
}

async function replaceFile(file: string, content: Uint8Array | string): Promise<void> {
  const temporary = `${file}.${process.pid}`;
  await writeFile(temporary, content);
  await rename(temporary, file);
}

function sha256(content: Uint8Array): string {
  return createHash('sha256').update(content).digest('hex');
}
