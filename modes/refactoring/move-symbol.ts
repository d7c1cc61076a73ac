import { lstatSync } from 'node:fs';
import { SyntaxKind, ts } from 'ts-morph';
import type { Recipe } from '../../contracts/recipe.ts';
import { notApplicable, plural } from './change.ts';
import type { Change } from './change.ts';
import { declaredNames } from './declarations.ts';
import { ImportEditor, isTypeOnly, statementsFor } from './import-editor.ts';
import type { Wanted } from './import-editor.ts';
import { importedNames, unusedNames } from './import-order.ts';
import { ModuleResolver } from './module-resolver.ts';
import { moduleSpecifiers } from './module-specifiers.ts';
import { findMoved, hasModifier, needsOf, refuseCommonJs } from './moved-declaration.ts';
import type { MovedDeclaration, Needs } from './moved-declaration.ts';
import { isDeclarationFile, isJavaScript, isSource } from './paths.ts';
import { filesThatMatter } from './relevant-files.ts';
import { requireFile } from './rename-symbol.ts';
import { relativeInStyleOf, specifierLike } from './specifier-style.ts';
import type { Use } from './specifier-style.ts';
import { SymbolProgram } from './symbol-program.ts';
import { relocateUsers, withoutElement } from './symbol-users.ts';
import type { Relocation } from './symbol-users.ts';
import { EditsByFile, lineEnding, withoutBlankStart } from './text-edits.ts';
import type { TextEdit } from './text-edits.ts';
import type { Workspace } from './workspace.ts';

type MoveSymbol = Extract<Recipe, { name: 'move-symbol' }>;

/**
 * Moves an exported top-level declaration to another file with the imports it needs, and points its users there. What it uses
 * of its old file must be exported there already: nothing is made public on the way. The old file goes on exporting it only
 * where it is what a package exports.
 */
export function moveSymbol(workspace: Workspace, recipe: MoveSymbol): Change {
  const { symbol } = recipe;
  const from = requireFile(workspace, recipe.from);
  const to = requireTarget(workspace, from, recipe.to);
  if (from === to) return { files: new Map(), summary: `${symbol} is in ${from} already` };
  const before = new ModuleResolver(workspace);
  const after = new ModuleResolver(workspace.with(new Map([[to, workspace.read(to) ?? '']])));
  const paths = pathsToLoad(workspace, before, symbol, [from, to]);
  const program = new SymbolProgram(workspace, before, paths);
  const moved = findMoved(program, symbol, from);
  const target = program.file(to);
  if (target) refuseTaken(program, target, to, symbol);
  const needs = needsOf(program, moved);
  const edits = new EditsByFile();
  const editors = new Map<ts.SourceFile, ImportEditor>();
  const editorOf = (file: ts.SourceFile): ImportEditor => {
    if (!editors.has(file)) editors.set(file, new ImportEditor(file));
    return editors.get(file)!;
  };
  const relocation: Relocation = { program, moved, from, to, before, after, edits, editorOf };
  const keepExport = relocateUsers(relocation);
  const wanted = wantedInTarget(relocation, needs, target);
  leave(relocation, keepExport);
  if (target) arrive(relocation, target, wanted);
  for (const [file, editor] of editors) for (const edit of editor.edits()) edits.add(file.fileName.slice(1), edit);
  const files = new Map(edits.apply((path) => workspace.read(path)));
  if (!target) files.set(to, newFile(moved, wanted));
  files.set(from, stillModule(withoutBlankStart(files.get(from)!, moved.file.text), from));
  refuseBroken(workspace, program, paths, files, to);
  const kept = keepExport ? `; ${from} still exports it, as part of its package's interface` : '';
  return { files, summary: `moved ${symbol} from ${from} to ${to}: ${plural(files.size, 'file')} changed${kept}` };
}

function requireTarget(workspace: Workspace, from: string, path: string): string {
  const to = workspace.normalise(path);
  if (!isSource(to) || isDeclarationFile(to))
    throw notApplicable(`${path} is no TypeScript or JavaScript file: a symbol can only move to one.`);
  if (isJavaScript(to) && !isJavaScript(from))
    throw notApplicable(`${path} is JavaScript and ${from} is TypeScript: move it to a TypeScript file.`);
  if (lstatSync(workspace.locate(to), { throwIfNoEntry: false }) && workspace.read(to) === undefined) {
    throw notApplicable(`${path} is no file that git does not ignore and that is UTF-8 text: choose another one.`);
  }
  return to;
}

/** The files that matter for the name, and what the two files import, so that their names can be checked afterwards. */
function pathsToLoad(workspace: Workspace, resolver: ModuleResolver, symbol: string, ends: string[]): string[] {
  const there = ends.filter((path) => workspace.has(path));
  const imported = there.flatMap((path) => {
    const file = ts.createSourceFile(path, workspace.read(path)!, ts.ScriptTarget.ESNext, true);
    return moduleSpecifiers(file).flatMap((literal) => resolver.resolve(literal.text, path) ?? []);
  });
  return [...new Set([...filesThatMatter(workspace, [symbol]), ...there, ...imported.filter(isSource)])];
}

function refuseTaken(program: SymbolProgram, target: ts.SourceFile, to: string, symbol: string): void {
  refuseCommonJs(target, to);
  if (target.statements.flatMap(declaredNames).some((name) => name.text === symbol)) {
    throw notApplicable(`${to} declares "${symbol}" already: rename one of them first.`);
  }
  if (program.hasSyntaxErrors(target)) throw notApplicable(`${to} does not parse: mend it first.`);
}

/** The imports the declaration needs in its new file. Throws a HelixError when a name is taken there. */
function wantedInTarget(relocation: Relocation, needs: Needs, target: ts.SourceFile | undefined): Wanted[] {
  const { from, to, moved, before, after } = relocation;
  const uses = usesOf(before, moved.file, from);
  const wanted: Wanted[] = [...needs.siblings].map((name) => ({
    specifier: relativeInStyleOf(
      target ? [...usesOf(before, target, to), ...uses] : uses,
      to,
      from,
      after.assumedExtension(to),
    ),
    imported: name,
    local: name,
    isType: isTypeName(moved.file, name),
  }));
  for (const one of [...needs.imports].sort((a, b) => a.pos - b.pos)) {
    const clause = ts.isImportClause(one) ? one : ts.isNamespaceImport(one) ? one.parent : one.parent.parent;
    if (!ts.isImportDeclaration(clause.parent)) continue;
    const { text } = clause.parent.moduleSpecifier as ts.StringLiteral;
    const source = before.resolve(text, from);
    const imported = ts.isImportClause(one)
      ? 'default'
      : ts.isNamespaceImport(one)
        ? '*'
        : (one.propertyName ?? one.name).text;
    const local = one.name!.text;
    if (source === to) {
      if (imported === local) continue;
      throw notApplicable(`"${moved.symbol}" uses ${to} under the name "${local}": use the name it has there first.`);
    }
    const specifier =
      source === undefined
        ? specifierFrom(text, from, to)
        : specifierLike({ specifier: text, from, target: source }, to, source, after);
    wanted.push({
      specifier,
      imported,
      local,
      isType: isTypeOnly(clause) || (ts.isImportSpecifier(one) && one.isTypeOnly),
    });
  }
  return target ? wanted.filter((one) => !isThere(relocation, target, one)) : wanted;
}

function usesOf(before: ModuleResolver, file: ts.SourceFile, path: string): Use[] {
  return moduleSpecifiers(file).flatMap(({ text }) => {
    const used = before.resolve(text, path);
    return used === undefined ? [] : [{ specifier: text, from: path, target: used }];
  });
}

function specifierFrom(specifier: string, from: string, to: string): string {
  if (!specifier.startsWith('.')) return specifier;
  throw notApplicable(
    `${from} imports "${specifier}", which is not there, so it cannot be imported from ${to}: build or mend it first.`,
  );
}

function isTypeName(file: ts.SourceFile, name: string): boolean {
  const statements = file.statements.filter((statement) => declaredNames(statement).some((one) => one.text === name));
  return statements.every((statement) => ts.isInterfaceDeclaration(statement) || ts.isTypeAliasDeclaration(statement));
}

/** Whether the target imports the same thing by the same name already. Throws when the name means something else there. */
function isThere({ before, after, to }: Relocation, target: ts.SourceFile, wanted: Wanted): boolean {
  const taken = notApplicable(
    `${to} has something else called "${wanted.local}", which the moved code needs: rename one of them first.`,
  );
  if (target.statements.flatMap(declaredNames).some((name) => name.text === wanted.local)) throw taken;
  for (const one of target.statements.filter((statement) => ts.isImportDeclaration(statement))) {
    const name = importedNames(one).find((identifier) => identifier.text === wanted.local);
    if (!name || !ts.isStringLiteral(one.moduleSpecifier)) continue;
    const holder = name.parent;
    const imported = ts.isNamespaceImport(holder)
      ? '*'
      : ts.isImportSpecifier(holder)
        ? (holder.propertyName ?? holder.name).text
        : 'default';
    const { text } = one.moduleSpecifier;
    const sameModule =
      text === wanted.specifier ||
      (before.resolve(text, to) ?? text) === (after.resolve(wanted.specifier, to) ?? wanted.specifier);
    if (!sameModule || imported !== wanted.imported) throw taken;
    const isType = isTypeOnly(one.importClause!) || (ts.isImportSpecifier(holder) && holder.isTypeOnly);
    if (isType && !wanted.isType)
      throw notApplicable(
        `${to} imports "${wanted.local}" as a type, and the moved code needs its value: import the value there first.`,
      );
    return true;
  }
  return false;
}

/** Takes the declaration out of its file, with the imports only it needed, and imports it where the rest of the file uses it. */
function leave({ program, moved, from, to, after, before, editorOf, edits }: Relocation, keepExport: boolean): void {
  const { file, symbol } = moved;
  const isMoved = (node: ts.Node) =>
    moved.statements.some((statement) => node.pos >= statement.pos && node.end <= statement.end);
  for (const statement of moved.statements) edits.add(from, removal(file, statement));
  if (moved.exportedBy) {
    const list = moved.exportedBy.parent;
    edits.add(from, list.elements.length > 1 ? withoutElement(moved.exportedBy) : removal(file, list.parent));
  }
  const imports = file.statements.filter((statement) => ts.isImportDeclaration(statement));
  const unusedBefore = unusedNames(program, file, imports);
  for (const one of unusedNames(program, file, imports, isMoved)) {
    if (!unusedBefore.has(one)) editorOf(file).remove(one as ts.ImportSpecifier);
  }
  const uses = usesOf(before, file, from);
  const specifier = relativeInStyleOf(uses, from, to, after.assumedExtension(from));
  if (usesRemain(program, moved, isMoved))
    editorOf(file).add({ specifier, imported: symbol, local: symbol, isType: moved.isType });
  if (keepExport) editorOf(file).addReexport(specifier, symbol, moved.isType);
}

function usesRemain(program: SymbolProgram, moved: MovedDeclaration, isMoved: (node: ts.Node) => boolean): boolean {
  let found = false;
  const visit = (node: ts.Node): void => {
    if (isMoved(node) || node === moved.exportedBy) return;
    if (ts.isIdentifier(node) && node.text === moved.symbol) {
      const symbol = ts.isShorthandPropertyAssignment(node.parent)
        ? program.checker.getShorthandAssignmentValueSymbol(node.parent)
        : program.checker.getSymbolAtLocation(node);
      found ||= Boolean(symbol?.declarations?.some((one) => moved.declarations.includes(one)));
    }
    ts.forEachChild(node, visit);
  };
  visit(moved.file);
  return found;
}

function arrive({ moved, edits, to, editorOf }: Relocation, target: ts.SourceFile, wanted: Wanted[]): void {
  for (const one of wanted) editorOf(target).add(one);
  const eol = lineEnding(target.text);
  const end = target.text.trimEnd().length;
  const gap = end === 0 ? '' : eol + eol;
  const trailing = target.text.slice(end) || eol;
  edits.add(to, {
    start: end,
    end: target.text.length,
    text: gap + movedText(moved, eol) + (end === 0 ? eol : trailing),
  });
}

function newFile(moved: MovedDeclaration, wanted: Wanted[]): string {
  const eol = lineEnding(moved.file.text);
  const imports = statementsFor(wanted, moved.file).map((text) => text + eol);
  return [...imports, ...(imports.length > 0 ? [eol] : []), movedText(moved, eol), eol].join('');
}

function movedText(moved: MovedDeclaration, eol: string): string {
  const texts = moved.statements.map((statement) => {
    const { start, end } = extent(moved.file, statement);
    const text = moved.file.text.slice(start, end);
    const at = statement.getStart(moved.file) - start;
    return hasModifier(statement, SyntaxKind.ExportKeyword) ? text : `${text.slice(0, at)}export ${text.slice(at)}`;
  });
  return texts.join(eol).replace(/\r?\n/g, eol);
}

/** A statement with the comments right above it and behind it on its line. */
function extent(file: ts.SourceFile, statement: ts.Statement): { start: number; end: number } {
  let start = statement.getStart(file);
  for (const comment of (ts.getLeadingCommentRanges(file.text, statement.getFullStart()) ?? []).toReversed()) {
    const isHeader = /^\/\*!|@licen[sc]e|@file|@fileoverview|copyright|@ts-(no)?check|^#!/i.test(
      file.text.slice(comment.pos, comment.end),
    );
    if (isHeader || /\n[ \t]*\r?\n/.test(file.text.slice(comment.end, start))) break;
    start = comment.pos;
  }
  const trailing = ts.getTrailingCommentRanges(file.text, statement.getEnd())?.at(-1)?.end ?? statement.getEnd();
  return { start, end: trailing };
}

function removal(file: ts.SourceFile, statement: ts.Statement): TextEdit {
  const { start, end } = extent(file, statement);
  const rest = /^[ \t]*(\r?\n)?/.exec(file.text.slice(end))![0].length;
  const isBelowBlank = start === 0 || /\n[ \t]*\r?\n$/.test(file.text.slice(0, start));
  const blanks = isBelowBlank ? /^([ \t]*\r?\n)*/.exec(file.text.slice(end + rest))![0].length : 0;
  return { start, end: end + rest + blanks, text: '' };
}

/** A file that nothing is left of must stay a module for those who import it for nothing, or re-export all of it. */
function stillModule(text: string, path: string): string {
  const eol = lineEnding(text);
  const tidy = text.trim() === '' ? '' : text.trimEnd() + (/\s*$/.exec(text)![0].includes('\n') ? eol : '');
  const isModule = ts.isExternalModule(ts.createSourceFile(path, tidy, ts.ScriptTarget.ESNext));
  return isModule ? tidy : `${tidy}export {};${eol}`;
}

/** Looks once more, before anything is written, whether every name in the changed files is still found. */
function refuseBroken(
  workspace: Workspace,
  before: SymbolProgram,
  paths: string[],
  files: Map<string, string>,
  to: string,
): void {
  const changed = workspace.with(files);
  const after = new SymbolProgram(changed, new ModuleResolver(changed), [...new Set([...paths, to])]);
  const known = new Set([...files.keys()].flatMap((path) => before.nameErrors(path)));
  for (const path of files.keys()) {
    const broken = after.nameErrors(path).find((message) => !known.has(message));
    if (broken) throw notApplicable(`the move would break ${path}: ${broken} Mend that first.`);
  }
}
