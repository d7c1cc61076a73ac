import { isUtf8 } from 'node:buffer';
import { HelixError } from '../../contracts/error.ts';
import { findFiles, statPath } from '../../snapshots/search.ts';
import type { PathEntry } from '../../snapshots/search.ts';
import { workspacePath } from '../paths.ts';
import type { ToolContext } from './tool.ts';

/** The normal form of a path. Throws HelixError `usage.invalid` for one that leaves the workspace. */
export function normalPath(given: string): string {
  const path = workspacePath(given);
  if (path !== undefined) return path;
  throw new HelixError(
    'usage.invalid',
    `${JSON.stringify(given)} is outside the workspace: give a path relative to its root`,
  );
}

/** What is at a path. Throws HelixError `usage.invalid` with the nearest names when there is nothing. */
export async function existing({ store, snapshot }: ToolContext, path: string): Promise<PathEntry> {
  const entry = await statPath(store, snapshot, path);
  if (entry) return entry;
  const near = await nearNames({ store, snapshot }, path);
  const hint = near.length > 0 ? `: did you mean ${near.join(', ')}?` : ': use "list" to see what there is';
  throw new HelixError('usage.invalid', `there is no ${path} in the workspace${hint}`);
}

/** The bytes of a regular file. Throws HelixError `usage.invalid` for anything else. */
export async function readFile(context: ToolContext, path: string): Promise<Buffer> {
  const { kind } = await existing(context, path);
  if (kind === 'folder') throw new HelixError('usage.invalid', `${path} is a folder: use "list"`);
  const content = (await context.store.read(context.snapshot, path)) ?? Buffer.alloc(0);
  if (kind === 'symlink') {
    throw new HelixError(
      'usage.invalid',
      `${path} is a symbolic link to ${content.toString()}: give the path of the file itself`,
    );
  }
  return content;
}

/** The text of a file. Throws HelixError `usage.invalid` when it is none. */
export async function readText(context: ToolContext, path: string): Promise<string> {
  const content = await readFile(context, path);
  if (isText(content)) return content.toString();
  throw new HelixError(
    'usage.invalid',
    `${path} is no UTF-8 text (${content.length} bytes): it cannot be edited as text`,
  );
}

export function isText(content: Buffer): boolean {
  return isUtf8(content) && !content.subarray(0, 8192).includes(0);
}

/** Every file at a path: itself, or all below a folder. */
export async function filesAt(
  { store, snapshot }: Pick<ToolContext, 'store' | 'snapshot'>,
  path: string,
): Promise<string[]> {
  return findFiles(store, snapshot, { path });
}

const mostNames = 3;

async function nearNames(
  { store, snapshot }: Pick<ToolContext, 'store' | 'snapshot'>,
  path: string,
): Promise<string[]> {
  const name = path.split('/').at(-1)!.toLowerCase();
  const stem = name.replace(/\.[^.]*$/, '');
  const files = await findFiles(store, snapshot, {});
  const same = files.filter((file) => file.toLowerCase().endsWith(`/${name}`) || file.toLowerCase() === name);
  if (same.length > 0) return same.slice(0, mostNames);
  return files
    .filter((file) => stem.length > 2 && file.toLowerCase().split('/').at(-1)!.startsWith(stem))
    .slice(0, mostNames);
}
