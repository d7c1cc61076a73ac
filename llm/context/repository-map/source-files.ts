import { createHash } from 'node:crypto';
import { languageOf } from './languages.ts';

/** Reads the files of a snapshot. Paths are workspace-relative with `/`; sizes are bytes. */
export interface MapReader {
  list(): Promise<MapEntry[]>;
  /** Contents by path; a path that is no file is left out of the map. */
  readMany(paths: string[]): Promise<Map<string, Buffer>>;
}

export interface MapEntry {
  path: string;
  bytes: number;
  mode: 'file' | 'executable' | 'symlink';
  /** Git's object id of the content: what is cached is found by it. Without it every file is read. */
  object?: string;
}

/** A file as the map sees it. */
export interface SourceFile {
  path: string;
  object: string;
  /** Undefined: known by its name alone. */
  language: string | undefined;
}

/** Larger ones are generated or data. */
const largestBytes = 400_000;
const notWritten =
  /(^|\/)(node_modules|vendor|third_party|dist|build|target|\.git)\/|\.min\.\w+$|[-.]bundle\.js$|(^|\/)(package-lock\.json|pnpm-lock\.yaml|yarn\.lock|Cargo\.lock|go\.sum)$/;

const tests =
  /(^|\/)(tests?|__tests__|specs?|fixtures|testdata|bench|examples?)\/|[._-](test|spec)\.\w+$|_test\.\w+$|(^|\/)test_\w+\.py$/;

export function isTestPath(path: string): boolean {
  return tests.test(path);
}

/** The files that somebody wrote, sorted by path. */
export async function sourceFiles(reader: MapReader): Promise<SourceFile[]> {
  const entries = (await reader.list()).filter(({ path, mode }) => mode !== 'symlink' && !notWritten.test(path));
  const languages = new Map(
    entries.map(({ path, bytes }) => [path, bytes <= largestBytes ? languageOf(path) : undefined]),
  );
  const unnamed = entries
    .filter(({ path, object }) => object === undefined && languages.get(path))
    .map(({ path }) => path);
  const contents = unnamed.length === 0 ? new Map<string, Buffer>() : await reader.readMany(unnamed);
  return entries
    .map(({ path, object }) => ({
      path,
      object: object ?? objectOf(contents.get(path)),
      language: languages.get(path),
    }))
    .sort((a, b) => (a.path < b.path ? -1 : 1));
}

/** As git names contents, so that readers with and without object ids share what is cached. */
function objectOf(content: Buffer | undefined): string {
  if (!content) return '';
  return createHash('sha1').update(`blob ${content.length}\0`).update(content).digest('hex');
}
