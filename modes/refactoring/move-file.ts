import { lstatSync } from 'node:fs';
import { posix } from 'node:path';
import type { Recipe } from '../../contracts/recipe.ts';
import { notApplicable, plural } from './change.ts';
import type { Change } from './change.ts';
import { manifestsAfterMove } from './manifest-edits.ts';
import { ModuleResolver } from './module-resolver.ts';
import { moduleSpecifiers, parseSource } from './module-specifiers.ts';
import { isIndex, stemOf } from './paths.ts';
import { requireFile } from './rename-symbol.ts';
import { specifierLike } from './specifier-style.ts';
import { EditsByFile } from './text-edits.ts';
import type { Workspace } from './workspace.ts';

/** Moves a file and mends the imports of it, its own imports, and the manifests that name it. */
export function moveFile(workspace: Workspace, recipe: Extract<Recipe, { name: 'move-file' }>): Change {
  const from = requireFile(workspace, recipe.from);
  const to = workspace.normalise(recipe.to);
  if (from === to) return { files: new Map(), summary: `${from} is there already` };
  requireFreePlace(workspace, to);
  const before = new ModuleResolver(workspace);
  const manifests = manifestsAfterMove(workspace, before.configs, from, to);
  const moved: Map<string, string | null> = new Map([...manifests, [from, null], [to, workspace.read(from)!]]);
  const after = new ModuleResolver(workspace.with(moved));
  const packageName = before.packageOf(from)?.manifest.name;
  const edits = new EditsByFile();
  for (const path of workspace.sources) {
    const text = workspace.read(path);
    if (text === undefined || !(path === from || mayImport(text, from, packageName))) continue;
    mend(path, text, before, after, { from, to }, edits);
  }
  const files: Map<string, string | null> = new Map([...edits.apply((path) => workspace.read(path)), ...manifests]);
  files.set(to, files.get(from) ?? workspace.read(from)!);
  files.set(from, null);
  return { files, summary: `moved ${from} to ${to}: ${plural(files.size - 2, 'other file')} changed` };
}

function requireFreePlace(workspace: Workspace, to: string): void {
  if (to === '.' || lstatSync(workspace.locate(to), { throwIfNoEntry: false })) {
    throw notApplicable(`${to} is there already: give a new path for the file, with its name.`);
  }
}

/** Whoever imports `from` says its name or that of its package; an index may be meant by dots alone. */
function mayImport(text: string, from: string, packageName: string | undefined): boolean {
  if (isIndex(from) || text.includes(posix.basename(stemOf(from)))) return true;
  return packageName !== undefined && text.includes(packageName);
}

function mend(
  path: string,
  text: string,
  before: ModuleResolver,
  after: ModuleResolver,
  move: { from: string; to: string },
  edits: EditsByFile,
): void {
  const place = path === move.from ? move.to : path;
  for (const literal of moduleSpecifiers(parseSource(path, text))) {
    const target = before.resolve(literal.text, path);
    const newTarget = target === move.from ? move.to : target;
    const stays =
      target === undefined
        ? path !== move.from || !literal.text.startsWith('.')
        : after.resolve(literal.text, place) === newTarget;
    if (stays) continue;
    const specifier =
      target === undefined
        ? unresolvedSpecifier(literal.text, move)
        : specifierLike({ specifier: literal.text, from: path, target }, place, newTarget!, after);
    edits.add(path, { start: literal.getStart() + 1, end: literal.getEnd() - 1, text: specifier });
  }
}

/** A relative specifier of the moved file that leads to something unknown (a stylesheet, something generated): the same place from the new one. */
function unresolvedSpecifier(specifier: string, { from, to }: { from: string; to: string }): string {
  const path = posix.relative(posix.dirname(to), posix.join(posix.dirname(from), specifier));
  return path.startsWith('.') ? path : `./${path}`;
}
