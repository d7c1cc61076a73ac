import { isDeclarationFile } from './paths.ts';
import type { Workspace } from './workspace.ts';

/** What hands names on without naming them: `export *`, namespaces, and the ways of CommonJS and dynamic import. */
const passesNamesOn = /\bexport\s*\*|\*\s*as\s|\bmodule\.exports\b|\brequire\s*\(|\bimport\s*\(|\bexport\s*=/;

/** The files whose contents can bear on what a top-level name means anywhere: those that say it and those that may hand it on. */
export function filesThatMatter(workspace: Workspace, names: string[]): string[] {
  const pattern = wordPattern(names);
  return workspace.sources.filter((path) => {
    const text = workspace.read(path) ?? '';
    return pattern.test(text) || passesNamesOn.test(text);
  });
}

export function wordPattern(names: string[], flags = ''): RegExp {
  const escaped = names.map((name) => name.replace(/[$]/g, '\\$&'));
  return new RegExp(`(?<![\\w$])(?:${escaped.join('|')})(?![\\w$])`, flags);
}

/** The sources that are written by people as programs, not as declarations for others. */
export function isProgram(path: string): boolean {
  return !isDeclarationFile(path);
}
