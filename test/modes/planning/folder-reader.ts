import { lstat, readdir, readFile } from 'node:fs/promises';
import { join, relative } from 'node:path';
import type { SourceEntry, SourceReader } from '../../../modes/planning/source-reader.ts';

/** A reader over the files of a folder, in an order that is not sorted. */
export function folderReader(root: string): SourceReader {
  return {
    async list(): Promise<SourceEntry[]> {
      const found = await readdir(root, { recursive: true, withFileTypes: true });
      const files = found.filter((entry) => entry.isFile() || entry.isSymbolicLink());
      const paths = files.map((entry) => relative(root, join(entry.parentPath, entry.name)));
      const sources = paths.filter((path) => !/(^|\/)(\.git|node_modules)\//.test(path));
      return Promise.all(sources.reverse().map((path) => entryOf(root, path)));
    },
    async readMany(paths: string[]): Promise<Map<string, Buffer>> {
      const contents = await Promise.all(paths.map((path) => readFile(join(root, path))));
      return new Map(paths.map((path, index) => [path, contents[index] ?? Buffer.alloc(0)]));
    },
  };
}

/** A reader over texts given by path; `!` before a path makes the file executable. */
export function textReader(files: Record<string, string>): SourceReader {
  const contents = new Map(Object.entries(files).map(([path, text]) => [path.replace(/^!/, ''), Buffer.from(text)]));
  return {
    list: () =>
      Promise.resolve(
        [...contents].map(([path, content]) => ({
          path,
          bytes: content.length,
          mode: files[`!${path}`] === undefined ? ('file' as const) : ('executable' as const),
        })),
      ),
    readMany: (paths) =>
      Promise.resolve(
        new Map(paths.flatMap((path) => (contents.has(path) ? [[path, contents.get(path) ?? Buffer.alloc(0)]] : []))),
      ),
  };
}

async function entryOf(root: string, path: string): Promise<SourceEntry> {
  const stat = await lstat(join(root, path));
  const mode = stat.isSymbolicLink() ? 'symlink' : (stat.mode & 0o100) !== 0 ? 'executable' : 'file';
  return { path, bytes: stat.size, mode };
}
