import { posix } from 'node:path';
import type { SourceEntry, SourceReader } from './source-reader.ts';

/** The files of a snapshot, indexed once, with the contents of manifests kept after the first reading. */
export class SourceTree {
  readonly entries: readonly SourceEntry[];
  readonly #reader: SourceReader;
  readonly #byPath: Map<string, SourceEntry>;
  readonly #children = new Map<string, string[]>();
  readonly #folders = new Set<string>(['.']);
  readonly #texts = new Map<string, string | undefined>();

  private constructor(reader: SourceReader, entries: SourceEntry[]) {
    this.#reader = reader;
    this.entries = entries;
    this.#byPath = new Map(entries.map((entry) => [entry.path, entry]));
    for (const { path } of entries) {
      const folder = posix.dirname(path);
      const siblings = this.#children.get(folder);
      if (siblings) siblings.push(path);
      else this.#children.set(folder, [path]);
      for (let up = folder; !this.#folders.has(up); up = posix.dirname(up)) this.#folders.add(up);
    }
  }

  static async open(reader: SourceReader): Promise<SourceTree> {
    const entries = await reader.list();
    return new SourceTree(
      reader,
      [...entries].sort((a, b) => compare(a.path, b.path)),
    );
  }

  isFile(path: string): boolean {
    return this.#byPath.has(path);
  }

  isExecutable(path: string): boolean {
    return this.#byPath.get(path)?.mode === 'executable';
  }

  isFolder(path: string): boolean {
    return this.#folders.has(path);
  }

  /** Paths of the files directly in a folder. */
  filesIn(folder: string): readonly string[] {
    return this.#children.get(folder) ?? [];
  }

  /** Entries of all files in a folder and below it. */
  entriesBelow(folder: string): readonly SourceEntry[] {
    if (folder === '.') return this.entries;
    return this.entries.filter((entry) => entry.path.startsWith(`${folder}/`));
  }

  /** Folders that hold a file of this name, shallow ones first. */
  foldersWith(fileName: string): string[] {
    return this.entries
      .filter((entry) => entry.mode !== 'symlink' && posix.basename(entry.path) === fileName)
      .map((entry) => posix.dirname(entry.path))
      .sort((a, b) => depth(a) - depth(b) || compare(a, b));
  }

  /** Reads many small text files at once, so that `text` answers from memory afterwards. */
  async load(paths: string[]): Promise<void> {
    const wanted = [...new Set(paths)].filter((path) => this.isFile(path) && !this.#texts.has(path)).sort();
    if (wanted.length === 0) return;
    const contents = await this.#reader.readMany(wanted);
    for (const path of wanted)
      this.#texts.set(
        path,
        contents
          .get(path)
          ?.toString('utf8')
          .replace(/^\uFEFF/, ''),
      );
  }

  /** The text of a file, undefined when there is none. */
  async text(path: string): Promise<string | undefined> {
    await this.load([path]);
    return this.#texts.get(path);
  }

  /** Contents that are looked at once and not kept. */
  async readOnce(paths: string[]): Promise<Map<string, Buffer>> {
    return this.#reader.readMany(paths.filter((path) => this.isFile(path)));
  }
}

/** Joins workspace-relative paths; the result never starts with `./`. */
export function joinPath(...parts: string[]): string {
  return posix.join(...parts).replace(/(.)\/$/, '$1');
}

export function depth(folder: string): number {
  return folder === '.' ? 0 : folder.split('/').length;
}

/** Whether a path is the folder or something below it. */
export function isInside(path: string, folder: string): boolean {
  return folder === '.' || path === folder || path.startsWith(`${folder}/`);
}

/** Orders by code units, the same on every machine. */
export function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
