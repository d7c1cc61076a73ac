import { posix } from 'node:path';

/** Extensions of sources, in the order TypeScript prefers them. */
export const sourceExtensions = ['.ts', '.tsx', '.mts', '.cts', '.js', '.jsx', '.mjs', '.cjs'] as const;

const declarationPattern = /\.d\.([^.]+\.)?[cm]?ts$/;

export function isDeclarationFile(path: string): boolean {
  return declarationPattern.test(path);
}

export function isSource(path: string): boolean {
  return (sourceExtensions as readonly string[]).includes(posix.extname(path));
}

export function isJavaScript(path: string): boolean {
  return /\.[cm]?jsx?$/.test(path);
}

/** `src/a.d.ts` -> `src/a`, `src/a.tsx` -> `src/a`; other files keep their extension. */
export function stemOf(path: string): string {
  if (isDeclarationFile(path)) return path.replace(/\.d\.[cm]?ts$/, '');
  return isSource(path) ? path.slice(0, -posix.extname(path).length) : path;
}

export function isIndex(path: string): boolean {
  return posix.basename(stemOf(path)) === 'index';
}

const outputExtensions: Record<string, string> = { '.ts': '.js', '.tsx': '.js', '.mts': '.mjs', '.cts': '.cjs' };

/** The extension of what a source is compiled to: `.mts` -> `.mjs`. */
export function outputExtension(path: string): string {
  const extension = posix.extname(path);
  return outputExtensions[extension] ?? extension;
}

/** Workspace-relative path of `target` as seen from the folder of `file`, always starting with `./` or `../`. */
export function relativeSpecifier(file: string, target: string): string {
  const path = posix.relative(posix.dirname(file), target);
  return path === '' ? '.' : path.startsWith('.') ? path : `./${path}`;
}

/** Joins below the workspace; undefined when the result is outside of it. */
export function joinInside(...parts: string[]): string | undefined {
  const path = posix.join(...parts);
  return path === '..' || path.startsWith('../') || path.startsWith('/') ? undefined : path;
}
