/** Reads the files of a snapshot. Paths are workspace-relative with `/`; sizes are bytes. */
export interface SourceReader {
  list(): Promise<SourceEntry[]>;
  /** Contents by path; a path that is no file of the snapshot is left out of the map. */
  readMany(paths: string[]): Promise<Map<string, Buffer>>;
}

export interface SourceEntry {
  path: string;
  bytes: number;
  mode: 'file' | 'executable' | 'symlink';
}

const readWholeBytes = 8 << 20;

/** Reads a small repository in one go with its first files: each reading starts a process, which costs more than its files. */
export function readingSmallOnesWhole(reader: SourceReader): SourceReader {
  let small: string[] | undefined;
  let whole: Promise<Map<string, Buffer>> | undefined;
  return {
    async list() {
      const entries = await reader.list();
      const bytes = entries.reduce((sum, entry) => sum + entry.bytes, 0);
      if (bytes <= readWholeBytes) small = entries.map((entry) => entry.path);
      return entries;
    },
    async readMany(paths) {
      if (!small) return await reader.readMany(paths);
      const contents = await (whole ??= reader.readMany(small));
      return new Map(paths.flatMap((path) => (contents.has(path) ? [[path, contents.get(path)!] as const] : [])));
    },
  };
}
