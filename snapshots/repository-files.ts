import { randomBytes } from 'node:crypto';
import { mkdir, mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

const config = `[core]
\trepositoryformatversion = 0
\tbare = false
\tfilemode = true
\tsymlinks = true
\tignorecase = false
\tprecomposeunicode = false
\tautocrlf = false
\tfsmonitor = false
\tuntrackedCache = false
\tprotectNTFS = false
\tprotectHFS = false
\ttrustctime = true
\tpreloadIndex = true
\tquotePath = false
[gc]
\tauto = 0
[maintenance]
\tauto = false
[checkout]
\tworkers = 2
[transfer]
\tunpackLimit = 100
`;

// Bytes are stored as they are, whatever the .gitattributes of a repository say: info/attributes goes before them.
const attributes = '* -text -filter -ident -working-tree-encoding -eol -crlf -export-subst\n';

const files: Record<string, string> = {
  'info/attributes': attributes,
  'info/exclude': '',
  config,
  // Last: git takes a folder for a repository once HEAD is there.
  HEAD: 'ref: refs/heads/none\n',
};

/**
 * Makes `dir` a bare repository with our settings, or completes one that was left half made.
 * Any number of processes may do so at once: every file is put in place whole, and with the same content.
 */
export async function ensureRepositoryFiles(dir: string): Promise<void> {
  if (await isComplete(dir)) return;
  for (const folder of ['objects/info', 'objects/pack', 'refs/heads', 'refs/tags', 'info']) {
    await mkdir(join(dir, folder), { recursive: true });
  }
  for (const [name, content] of Object.entries(files)) await writeWhole(join(dir, name), content);
}

async function isComplete(dir: string): Promise<boolean> {
  const found = await Promise.all(
    Object.keys(files).map((name) => readFile(join(dir, name), 'utf8').catch(() => undefined)),
  );
  return Object.values(files).every((content, index) => found[index] === content);
}

/** Writes a file so that a reader sees the old content or the new, never a part. */
export async function writeWhole(file: string, content: string | Buffer, mode = 0o644): Promise<void> {
  const temporary = `${file}.${randomBytes(6).toString('hex')}.tmp`;
  try {
    await writeFile(temporary, content, { mode });
    await rename(temporary, file);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
}

/** Runs `use` with a fresh repository of ours below `parent`; it is gone afterwards. */
export async function withScratchRepository<T>(parent: string, use: (gitDir: string) => Promise<T>): Promise<T> {
  return withScratchFolder(parent, async (folder) => {
    const gitDir = join(folder, 'git');
    await ensureRepositoryFiles(gitDir);
    return use(gitDir);
  });
}

/** Runs `use` with a fresh folder below `parent`; it is gone afterwards. */
export async function withScratchFolder<T>(parent: string, use: (folder: string) => Promise<T>): Promise<T> {
  await mkdir(parent, { recursive: true });
  const folder = await mkdtemp(join(parent, 'helix-scratch-'));
  try {
    return await use(folder);
  } finally {
    await rm(folder, { recursive: true, force: true, maxRetries: 3 });
  }
}

/** Where Helix keeps its own files inside a store. */
export function helixFolder(storeDir: string): string {
  return join(storeDir, 'helix');
}
