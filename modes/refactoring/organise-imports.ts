import { lstatSync } from 'node:fs';
import type { Recipe } from '../../contracts/recipe.ts';
import { notApplicable, plural } from './change.ts';
import type { Change } from './change.ts';
import { organiseFile } from './import-order.ts';
import { ModuleResolver } from './module-resolver.ts';
import { isProgram } from './relevant-files.ts';
import { SymbolProgram } from './symbol-program.ts';
import type { Workspace } from './workspace.ts';

const generated = /@generated\b|\bDO NOT EDIT\b|\b(?:code|file|automatically|auto)[- ]?generated\b/i;
/** Loading goes file by file in portions, so that memory stays bounded however large the workspace is. */
const portion = 400;

/** Sorts the imports of each file and removes those it does not use. Declaration files and generated files are left alone. */
export function organiseImports(workspace: Workspace, recipe: Extract<Recipe, { name: 'organise-imports' }>): Change {
  const paths = selected(workspace, recipe.path).filter((path) => isWritten(workspace.read(path)));
  const resolver = new ModuleResolver(workspace);
  const files = new Map<string, string>();
  let removed = 0;
  for (let at = 0; at < paths.length; at += portion) {
    const batch = paths.slice(at, at + portion);
    const program = new SymbolProgram(workspace, resolver, batch, { linked: false });
    for (const path of batch) {
      const result = organiseFile(program, program.file(path)!);
      removed += result.removed;
      if (result.text !== workspace.read(path)) files.set(path, result.text);
    }
  }
  if (files.size === 0)
    return { files, summary: `the imports of ${plural(paths.length, 'file')} are in order already` };
  return {
    files,
    summary: `organised the imports of ${plural(files.size, 'file')}: ${plural(removed, 'unused import')} removed`,
  };
}

function selected(workspace: Workspace, path: string | undefined): string[] {
  const programs = workspace.sources.filter(isProgram);
  if (path === undefined) return programs;
  const place = workspace.normalise(path);
  if (!lstatSync(workspace.locate(place), { throwIfNoEntry: false })) {
    throw notApplicable(`there is no file or folder ${path}: check the path, relative to the workspace's root.`);
  }
  return programs.filter((file) => place === '.' || file === place || file.startsWith(`${place}/`));
}

function isWritten(text: string | undefined): text is string {
  return text !== undefined && /\bimport\b/.test(text) && !generated.test(text.slice(0, 1000));
}
