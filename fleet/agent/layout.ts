import { randomBytes } from 'node:crypto';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { host } from './platform/host.ts';

/** Where everything is below the node's root. */
export interface Layout {
  root: string;
  store(project: string): string;
  slots(project: string): string;
  layers: string;
  executions: string;
  execution(id: string): string;
}

export function createLayout(root: string): Layout {
  const layout: Layout = {
    root,
    store: (project) => join(root, 'projects', project, 'store'),
    slots: (project) => join(root, 'projects', project, 'slots'),
    layers: join(root, 'layers'),
    executions: join(root, 'executions'),
    execution: (id) => join(root, 'executions', id),
  };
  mkdirSync(layout.layers, { recursive: true });
  mkdirSync(layout.executions, { recursive: true });
  return layout;
}

/** The file's text, or undefined when it is not there. */
export function readIfThere(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    if (hasCode(error, 'ENOENT', 'ENOTDIR')) return undefined;
    throw error;
  }
}

/** Writes a file so that a reader sees all of it or nothing. */
export function writeAtomically(file: string, text: string): void {
  const temporary = `${file}.${randomBytes(6).toString('hex')}`;
  try {
    writeFileSync(temporary, text);
    host.rename(temporary, file);
  } catch (error) {
    rmSync(temporary, { force: true });
    throw error;
  }
}

/** Creates the file with the text; false when it is already there, whoever made it. */
export function createOnce(file: string, text: string): boolean {
  try {
    writeFileSync(file, text, { flag: 'wx' });
    return true;
  } catch (error) {
    if (hasCode(error, 'EEXIST')) return false;
    throw error;
  }
}

export function hasCode(error: unknown, ...codes: string[]): boolean {
  return error instanceof Error && codes.includes((error as NodeJS.ErrnoException).code ?? '');
}
