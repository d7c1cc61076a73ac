import { ts } from 'ts-morph';
import type { Recipe } from '../../contracts/recipe.ts';
import { notApplicable, plural } from './change.ts';
import type { Change } from './change.ts';
import { findDeclared } from './declarations.ts';
import { requireIdentifier } from './identifiers.ts';
import { ModuleResolver } from './module-resolver.ts';
import { refuseClashes } from './name-clash.ts';
import { findReferences } from './references.ts';
import type { Reference } from './references.ts';
import { filesThatMatter, wordPattern } from './relevant-files.ts';
import { renameMember } from './rename-member.ts';
import { SymbolProgram, visitNodes, workspacePath } from './symbol-program.ts';
import { EditsByFile } from './text-edits.ts';
import type { Workspace } from './workspace.ts';

type RenameSymbol = Extract<Recipe, { name: 'rename-symbol' }>;

/** Renames a declaration and every reference to it, across the packages of the workspace. `Container.member` names a member. */
export function renameSymbol(workspace: Workspace, recipe: RenameSymbol): Change {
  const { symbol, to } = recipe;
  const file = recipe.file === undefined ? undefined : requireFile(workspace, recipe.file);
  requireIdentifier(to);
  if (/^[^.]+\.[^.]+$/.test(symbol)) return renameMember(workspace, symbol, to, file);
  if (symbol === to) return { files: new Map(), summary: `${symbol} is called that already` };
  const paths = new Set(filesThatMatter(workspace, [symbol, to]));
  if (file !== undefined) paths.add(file);
  const program = new SymbolProgram(workspace, new ModuleResolver(workspace), [...paths]);
  const declared = findDeclared(program, symbol, file);
  const declarations = declared.flatMap((one) => one.declarations);
  requireIdentifier(to, declarations);
  const references = findReferences(program, symbol, declarations);
  refuseClashes(program, references, to);
  const edits = new EditsByFile();
  for (const reference of references)
    edits.add(workspacePath(reference.node.getSourceFile().fileName), editOf(reference, to));
  const files = edits.apply((path) => workspace.read(path));
  const left = mentionsLeft(program, symbol, files.keys());
  const note = left === 0 ? '' : `; ${plural(left, 'mention')} in strings and comments left as they are`;
  return {
    files,
    summary: `renamed ${symbol} to ${to}: ${plural(edits.size, 'place')} in ${plural(files.size, 'file')}${note}`,
  };
}

/** A source of the workspace, normalised. Throws a HelixError when there is none at `path`. */
export function requireFile(workspace: Workspace, path: string): string {
  const file = workspace.normalise(path);
  if (workspace.read(file) === undefined) {
    throw notApplicable(
      `there is no file ${path} that git does not ignore and that is UTF-8 text: check the path, relative to the workspace's root.`,
    );
  }
  return file;
}

function editOf({ node, shorthand }: Reference, to: string) {
  if (shorthand) return { start: node.getEnd(), end: node.getEnd(), text: `: ${to}` };
  const quote = ts.isStringLiteralLike(node) ? 1 : 0;
  return { start: node.getStart() + quote, end: node.getEnd() - quote, text: to };
}

/** Occurrences of the word in the changed files that are no identifier. */
function mentionsLeft(program: SymbolProgram, name: string, changed: Iterable<string>): number {
  let left = 0;
  for (const path of changed) {
    const file = program.file(path)!;
    const identifiers = new Set<number>();
    visitNodes(file, (node) => {
      if (
        (ts.isIdentifier(node) && node.text === name) ||
        (ts.isStringLiteralLike(node) && ts.isElementAccessExpression(node.parent))
      ) {
        identifiers.add(node.getStart() + (ts.isIdentifier(node) ? 0 : 1));
      }
    });
    left += [...file.text.matchAll(wordPattern([name], 'g'))].filter(({ index }) => !identifiers.has(index)).length;
  }
  return left;
}
