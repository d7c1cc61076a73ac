import { isUtf8 } from 'node:buffer';
import type { SnapshotId } from '../contracts/snapshot.ts';
import { findFiles, statPath } from '../snapshots/search.ts';
import type { SnapshotStore } from '../snapshots/store.ts';

/** What a project says to agents, in files of its own. */
export interface ProjectInstructions {
  /** The root's first, then by depth. */
  files: { path: string; text: string; isCut: boolean }[];
  /** Those that no longer fitted: to be read by who works in their folders. */
  others: string[];
}

const largestFile = 16_000;
const largestTotal = 40_000;
const vendored = /(^|\/)(node_modules|vendor|third_party|\.venv|dist|build)\//;

/**
 * The AGENTS.md files of a snapshot, of the root and nested. A folder without one gives its CLAUDE.md, else its GEMINI.md. Symbolic links, files
 * that are no text, and folders of foreign code do not count.
 */
export async function readInstructions(store: SnapshotStore, snapshot: SnapshotId): Promise<ProjectInstructions> {
  const found = await findFiles(store, snapshot, { glob: '{AGENTS,CLAUDE,GEMINI}.md' });
  const folders = new Map<string, string[]>();
  for (const path of found.filter((one) => !vendored.test(one))) {
    const folder = path.slice(0, Math.max(0, path.lastIndexOf('/')));
    folders.set(folder, [...(folders.get(folder) ?? []), path]);
  }
  const result: ProjectInstructions = { files: [], others: [] };
  let total = 0;
  const sorted = [...folders].sort(([left], [right]) => depth(left) - depth(right) || (left < right ? -1 : 1));
  for (const [, names] of sorted) {
    const read = await firstText(store, snapshot, names.sort());
    if (!read) continue;
    const { path, text } = read;
    const isCut = text.length > largestFile;
    const shown = isCut ? text.slice(0, largestFile) : text;
    if (total + shown.length > largestTotal) result.others.push(path);
    else {
      total += shown.length;
      result.files.push({ path, text: shown, isCut });
    }
  }
  return result;
}

/** The first that holds text: AGENTS.md goes before CLAUDE.md and GEMINI.md. */
async function firstText(
  store: SnapshotStore,
  snapshot: SnapshotId,
  paths: string[],
): Promise<{ path: string; text: string } | undefined> {
  for (const path of paths) {
    const entry = await statPath(store, snapshot, path);
    const content = entry?.kind === 'symlink' ? undefined : await store.read(snapshot, path);
    const text = content && isUtf8(content) ? content.toString().trim() : '';
    if (text !== '') return { path, text };
  }
  return undefined;
}

function depth(folder: string): number {
  return folder === '' ? 0 : folder.split('/').length;
}
