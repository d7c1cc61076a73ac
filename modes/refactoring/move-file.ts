import { lstatSync } from 'node:fs';
import { posix } from 'node:path';
import type { Recipe } from '../../contracts/recipe.ts';
import { notApplicable, plural } from './change.ts';
import type { Change } from './change.ts';
import { manifestsAfterMove } from './manifest-edits.ts';
import { ModuleResolver } from './module-resolver.ts';
import { moduleSpecifiers, parseSource } from './module-specifiers.ts';
import { isIndex, isJavaScript, stemOf } from './paths.ts';
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
  const moves = withDeclarations(workspace, from, to);
  const before = new ModuleResolver(workspace);
  const manifests = manifestsAfterMove(workspace, before.configs, moves);
  const moved = new Map<string, string | null>(manifests);
  for (const [old, place] of moves) moved.set(old, null).set(place, workspace.read(old) ?? '');
  const after = new ModuleResolver(workspace.with(moved));
  const packageName = before.packageOf(from)?.manifest.name;
  const edits = new EditsByFile();
  for (const path of workspace.sources) {
    const text = workspace.read(path);
    if (text === undefined || !(moves.has(path) || mayImport(text, from, packageName))) continue;
    mend(path, text, before, after, moves, edits);
  }
  const files = new Map<string, string | null>([...edits.apply((path) => workspace.read(path)), ...manifests]);
  for (const [old, place] of moves) {
    files.set(place, files.get(old) ?? workspace.read(old) ?? '');
    files.set(old, null);
  }
  const others = files.size - 2 * moves.size;
  return {
    files,
    summary: `moved ${[...moves.keys()].join(', ')} to ${[...moves.values()].join(', ')}: ${plural(others, 'other file')} changed`,
  };
}

/** A JavaScript file takes the declarations beside it (`queue.d.ts`) along. */
function withDeclarations(workspace: Workspace, from: string, to: string): Map<string, string> {
  const moves = new Map([[from, to]]);
  const declarations = (path: string) => stemOf(path) + posix.extname(path).replace(/^\.([cm]?)jsx?$/, '.d.$1ts');
  if (isJavaScript(from) && isJavaScript(to) && workspace.has(declarations(from))) {
    requireFreePlace(workspace, declarations(to));
    moves.set(declarations(from), declarations(to));
  }
  return moves;
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
  moves: Map<string, string>,
  edits: EditsByFile,
): void {
  const place = moves.get(path) ?? path;
  for (const literal of moduleSpecifiers(parseSource(path, text))) {
    const target = before.resolve(literal.text, path);
    const newTarget = target === undefined ? undefined : (moves.get(target) ?? target);
    const stays =
      target === undefined
        ? place === path || !literal.text.startsWith('.')
        : after.resolve(literal.text, place) === newTarget;
    if (stays) continue;
    const specifier =
      target === undefined
        ? unresolvedSpecifier(literal.text, path, place)
        : specifierLike({ specifier: literal.text, from: path, target }, place, newTarget!, after);
    edits.add(path, { start: literal.getStart() + 1, end: literal.getEnd() - 1, text: specifier });
  }
}

/** A relative specifier of the moved file that leads to something unknown (a stylesheet, something generated): the same place from the new one. */
function unresolvedSpecifier(specifier: string, from: string, to: string): string {
  const path = posix.relative(posix.dirname(to), posix.join(posix.dirname(from), specifier));
  return path.startsWith('.') ? path : `./${path}`;
}
