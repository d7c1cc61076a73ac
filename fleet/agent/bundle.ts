import { createHash } from 'node:crypto';
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';

export interface AgentBundle {
  /** Absolute path of the one file. */
  file: string;
  /** First 16 hex digits of the SHA-256 of its content; part of its name. */
  hash: string;
}

interface Manifest extends AgentBundle {
  /** SHA-256 of each source file, by absolute path. */
  sources: Record<string, string>;
}

/**
 * The agent as one file for Node 20 or later. Made at most once per state of the sources: the folder remembers what went into it, so
 * that the bundler is not even loaded when nothing changed.
 */
export async function bundleAgent(cacheDir: string): Promise<AgentBundle> {
  const manifestFile = join(resolve(cacheDir), 'agent.json');
  const remembered = await readManifest(manifestFile);
  if (remembered && (await isUpToDate(remembered))) return { file: remembered.file, hash: remembered.hash };

  const { build } = await import('esbuild');
  const workingDir = resolve(import.meta.dirname, '../..');
  const result = await build({
    entryPoints: [join(import.meta.dirname, 'main.ts')],
    absWorkingDir: workingDir,
    bundle: true,
    write: false,
    metafile: true,
    platform: 'node',
    format: 'esm',
    target: 'node20',
    legalComments: 'none',
    logLevel: 'silent',
  });
  const content = result.outputFiles[0]!.contents;
  const hash = sha256(content).slice(0, 16);
  const file = join(resolve(cacheDir), `agent-${hash}.mjs`);
  await mkdir(cacheDir, { recursive: true });
  await replaceFile(file, content);
  const inputs = Object.keys(result.metafile.inputs).map((path) => resolve(workingDir, path));
  const hashes = await Promise.all(inputs.map(async (path) => [path, sha256(await readFile(path))] as const));
  await replaceFile(
    manifestFile,
    JSON.stringify({ file, hash, sources: Object.fromEntries(hashes) } satisfies Manifest),
  );
  return { file, hash };
}

async function readManifest(file: string): Promise<Manifest | undefined> {
  try {
    return JSON.parse(await readFile(file, 'utf8')) as Manifest;
  } catch {
    return undefined;
  }
}

async function isUpToDate({ file, hash, sources }: Manifest): Promise<boolean> {
  try {
    const checks = Object.entries(sources).map(async ([path, expected]) => sha256(await readFile(path)) === expected);
    const content = readFile(file).then((bytes) => sha256(bytes).startsWith(hash));
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
