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
