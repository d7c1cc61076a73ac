import { ts } from 'ts-morph';
import { HelixError } from '../../contracts/error.ts';
import { notApplicable } from './change.ts';
import { lineOf } from './declarations.ts';
import { isTypeOnly } from './import-editor.ts';
import type { ImportEditor } from './import-editor.ts';
import type { ModuleResolver } from './module-resolver.ts';
import type { MovedDeclaration } from './moved-declaration.ts';
import { findReferences } from './references.ts';
import { specifierLike } from './specifier-style.ts';
import { workspacePath } from './symbol-program.ts';
import type { SymbolProgram } from './symbol-program.ts';
import type { EditsByFile } from './text-edits.ts';

/** Everything that is needed to make the users of a moved symbol find it in its new file. */
export interface Relocation {
  program: SymbolProgram;
  moved: MovedDeclaration;
  from: string;
  to: string;
  before: ModuleResolver;
  after: ModuleResolver;
  edits: EditsByFile;
  editorOf: (file: ts.SourceFile) => ImportEditor;
}

/**
 * Points every user of the symbol at its new file. Returns whether the old file has to go on exporting it, since it is what a
 * package exports. Throws a HelixError for a use that cannot be mended.
 */
export function relocateUsers(relocation: Relocation): boolean {
  const { program, moved, from } = relocation;
  let keepExport = relocation.before.packages.some((one) => relocation.before.resolveEntry(one) === from);
  const references = findReferences(program, moved.symbol, moved.declarations);
  for (const { node } of references) {
    if (node.getSourceFile() === moved.file) continue;
    keepExport = relocateUse(relocation, node) || keepExport;
  }
  for (const file of program.files) for (const statement of file.statements) relocateStar(relocation, file, statement);
  return keepExport;
}

/** Returns true when the use is by a package's name that does not lead to the new file. */
function relocateUse(relocation: Relocation, node: ts.Node): boolean {
  const { parent } = node;
  if (ts.isImportSpecifier(parent))
    return (parent.propertyName ?? parent.name) === node && relocateImport(relocation, parent);
  if (ts.isExportSpecifier(parent))
    return (parent.propertyName ?? parent.name) === node && relocateReexport(relocation, parent);
  const literal = importExpressionAround(node);
  if (literal) return pointElsewhere(relocation, literal);
  if (ts.isPropertyAccessExpression(parent) && parent.name === node)
    return relocateNamespaceUse(relocation, parent, parent.expression);
  if (ts.isQualifiedName(parent) && parent.right === node) return relocateNamespaceUse(relocation, parent, parent.left);
  const pattern = ts.isBindingElement(parent) || ts.isElementAccessExpression(parent);
  if (pattern && relocation.program.checker.getSymbolAtLocation(node)) refuseUse(relocation, node);
  return false;
}

function relocateImport(relocation: Relocation, specifier: ts.ImportSpecifier): boolean {
  const { declaration, clause } = importOf(specifier);
  const literal = declaration.moduleSpecifier as ts.StringLiteral;
  if (!meansOldFile(relocation, literal)) return false;
  if (ts.isJSDocImportTag(declaration)) {
    if (specifier.parent.elements.length > 1) refuseUse(relocation, specifier);
    return pointElsewhere(relocation, literal);
  }
  const file = specifier.getSourceFile();
  const editor = relocation.editorOf(file);
  const isType = isTypeOnly(clause) || specifier.isTypeOnly;
  if (workspacePath(file.fileName) === relocation.to) {
    if (specifier.name.text !== relocation.moved.symbol) refuseUse(relocation, specifier);
    editor.remove(specifier);
    return false;
  }
  const target = newSpecifier(relocation, literal);
  if (target === undefined) return true;
  editor.remove(specifier);
  editor.add({ specifier: target, imported: relocation.moved.symbol, local: specifier.name.text, isType });
  return false;
}

function importOf(specifier: ts.ImportSpecifier) {
  const clause = specifier.parent.parent;
  return { clause, declaration: clause.parent };
}

function relocateReexport(relocation: Relocation, specifier: ts.ExportSpecifier): boolean {
  const declaration = specifier.parent.parent;
  const literal = declaration.moduleSpecifier as ts.StringLiteral | undefined;
  if (!literal || !meansOldFile(relocation, literal)) return false;
  const file = specifier.getSourceFile();
  const path = workspacePath(file.fileName);
  const others = specifier.parent.elements.filter((element) => element !== specifier);
  const isTarget = path === relocation.to;
  if (isTarget && specifier.name.text !== relocation.moved.symbol) refuseUse(relocation, specifier);
  if (others.length === 0 && !isTarget) return pointElsewhere(relocation, literal);
  const target = isTarget ? undefined : newSpecifier(relocation, literal);
  if (!isTarget && target === undefined) return true;
  if (others.length === 0) relocation.edits.add(path, lineEdit(declaration));
  else relocation.edits.add(path, withoutElement(specifier));
  if (target !== undefined) {
    const isType = declaration.isTypeOnly || specifier.isTypeOnly || relocation.moved.isType;
    const text = specifier.getText().replace(/^type\s+/, '');
    const statement = declaration.getText().replace(/^[^}]*\}/s, `export ${isType ? 'type ' : ''}{ ${text} }`);
    relocation.edits.add(path, insertAfter(declaration, retargeted(statement, literal, target)));
  }
  return false;
}

/** `export * from` the old file exposed the symbol: so that it still is, the file has to name it. */
function relocateStar(relocation: Relocation, file: ts.SourceFile, statement: ts.Statement): void {
  if (
    !ts.isExportDeclaration(statement) ||
    !statement.moduleSpecifier ||
    !ts.isStringLiteral(statement.moduleSpecifier)
  )
    return;
  const path = workspacePath(file.fileName);
  if (path === relocation.to || !meansOldFile(relocation, statement.moduleSpecifier)) return;
  if (statement.exportClause && ts.isNamespaceExport(statement.exportClause)) {
    throw notApplicable(
      `${path}:${lineOf(statement)} exports all of ${relocation.from} as a namespace, which "${relocation.moved.symbol}" would leave: change that first.`,
    );
  }
  if (statement.exportClause) return;
  const stars = file.statements.flatMap((one) =>
    ts.isExportDeclaration(one) && !one.exportClause && one.moduleSpecifier ? [one.moduleSpecifier] : [],
  );
  if (
    stars.some(
      (literal) => ts.isStringLiteral(literal) && relocation.before.resolve(literal.text, path) === relocation.to,
    )
  )
    return;
  const target = newSpecifier(relocation, statement.moduleSpecifier);
  if (target === undefined) return;
  const isType = statement.isTypeOnly || relocation.moved.isType;
  const text = statement
    .getText()
    .replace(/^export\s+(type\s+)?\*/, `export ${isType ? 'type ' : ''}{ ${relocation.moved.symbol} }`);
  relocation.edits.add(path, insertAfter(statement, retargeted(text, statement.moduleSpecifier, target)));
}

/** `old.symbol`, where `old` is the old file as a namespace: the symbol is imported by itself instead. */
function relocateNamespaceUse(relocation: Relocation, access: ts.Node, namespace: ts.Node): boolean {
  const { program, moved } = relocation;
  const declaration = program.checker.getSymbolAtLocation(namespace)?.declarations?.[0];
  if (!declaration || !ts.isNamespaceImport(declaration)) return refuseIfDirect(relocation, access, declaration);
  const literal = declaration.parent.parent.moduleSpecifier as ts.StringLiteral;
  if (!meansOldFile(relocation, literal)) return false;
  const path = workspacePath(access.getSourceFile().fileName);
  const isTarget = path === relocation.to;
  const taken = program.checker.resolveName(moved.symbol, access, ts.SymbolFlags.All, false);
  if (taken && !isTarget) refuseUse(relocation, access);
  const target = isTarget ? undefined : newSpecifier(relocation, literal);
  if (!isTarget && target === undefined) return true;
  relocation.edits.add(path, { start: access.getStart(), end: access.getEnd(), text: moved.symbol });
  if (target !== undefined) {
    const isType = moved.isType || isTypeOnly(declaration.parent);
    relocation
      .editorOf(access.getSourceFile())
      .add({ specifier: target, imported: moved.symbol, local: moved.symbol, isType });
  }
  return false;
}

/** A namespace that is held in a variable cannot be mended; one that another module exports still has the symbol. */
function refuseIfDirect(relocation: Relocation, access: ts.Node, declaration: ts.Declaration | undefined): boolean {
  if (declaration && ts.isVariableDeclaration(declaration) && declaration.initializer) {
    const literal = /\b(?:import|require)\s*\(\s*['"]([^'"]+)['"]/.exec(declaration.initializer.getText());
    const path = workspacePath(declaration.getSourceFile().fileName);
    if (literal && relocation.before.resolve(literal[1]!, path) === relocation.from) refuseUse(relocation, access);
  }
  return false;
}

/** The module's name in `import('./a').symbol`, `(await import('./a')).symbol` and `const { symbol } = await import('./a')`. */
function importExpressionAround(node: ts.Node): ts.StringLiteralLike | undefined {
  const { parent } = node;
  const importType = ts.findAncestor(node, (one) => ts.isImportTypeNode(one));
  if (importType && leftmost(importType.qualifier) === node) {
    const { argument } = importType;
    return ts.isLiteralTypeNode(argument) && ts.isStringLiteral(argument.literal) ? argument.literal : undefined;
  }
  if (ts.isPropertyAccessExpression(parent) && parent.name === node) return moduleCall(parent.expression);
  const pattern = parent.parent;
  const isOnly = ts.isBindingElement(parent) && ts.isObjectBindingPattern(pattern) && pattern.elements.length === 1;
  const holder = isOnly ? pattern.parent : undefined;
  return holder && ts.isVariableDeclaration(holder) && holder.initializer ? moduleCall(holder.initializer) : undefined;
}

function leftmost(name: ts.EntityName | undefined): ts.Node | undefined {
  return name && ts.isQualifiedName(name) ? leftmost(name.left) : name;
}

function moduleCall(expression: ts.Expression): ts.StringLiteralLike | undefined {
  if (ts.isParenthesizedExpression(expression) || ts.isAwaitExpression(expression))
    return moduleCall(expression.expression);
  if (!ts.isCallExpression(expression)) return undefined;
  const { expression: callee } = expression;
  const isModuleCall =
    callee.kind === ts.SyntaxKind.ImportKeyword || (ts.isIdentifier(callee) && callee.text === 'require');
  const argument = expression.arguments[0];
  return isModuleCall && argument && ts.isStringLiteralLike(argument) ? argument : undefined;
}

function meansOldFile(relocation: Relocation, literal: ts.StringLiteralLike): boolean {
  return relocation.before.resolve(literal.text, workspacePath(literal.getSourceFile().fileName)) === relocation.from;
}

/** Undefined when the file is imported by its package's name and no such name leads to the new file. */
function newSpecifier(relocation: Relocation, literal: ts.StringLiteralLike): string | undefined {
  const path = workspacePath(literal.getSourceFile().fileName);
  try {
    return specifierLike(
      { specifier: literal.text, from: path, target: relocation.from },
      path,
      relocation.to,
      relocation.after,
    );
  } catch (error) {
    if (error instanceof HelixError) return undefined;
    throw error;
  }
}

function pointElsewhere(relocation: Relocation, literal: ts.StringLiteralLike): boolean {
  if (!meansOldFile(relocation, literal)) return false;
  const target = newSpecifier(relocation, literal);
  if (target === undefined) return true;
  relocation.edits.add(workspacePath(literal.getSourceFile().fileName), {
    start: literal.getStart() + 1,
    end: literal.getEnd() - 1,
    text: target,
  });
  return false;
}

function refuseUse(relocation: Relocation, node: ts.Node): never {
  const place = `${workspacePath(node.getSourceFile().fileName)}:${lineOf(node)}`;
  throw notApplicable(
    `${place} uses "${relocation.moved.symbol}" of ${relocation.from} in a way this recipe cannot mend: import it by its own name there first.`,
  );
}

function retargeted(statement: string, literal: ts.StringLiteral, target: string): string {
  const quote = literal.getText()[0]!;
  return statement.replace(literal.getText(), () => quote + target + quote);
}

function insertAfter(statement: ts.Statement, text: string) {
  const source = statement.getSourceFile().text;
  const eol = source.includes('\r\n') ? '\r\n' : '\n';
  return { start: statement.getEnd(), end: statement.getEnd(), text: eol + text };
}

function lineEdit(statement: ts.Statement) {
  const rest = /^[ \t]*\r?\n/.exec(statement.getSourceFile().text.slice(statement.getEnd()));
  return { start: statement.getStart(), end: statement.getEnd() + (rest?.[0].length ?? 0), text: '' };
}

/** Removes one name of `{ a, b }` with its comma. */
export function withoutElement(specifier: ts.ExportSpecifier) {
  const { elements } = specifier.parent;
  const index = elements.indexOf(specifier);
  const next = elements[index + 1];
  if (next) return { start: specifier.getStart(), end: next.getStart(), text: '' };
  const previous = elements[index - 1];
  return { start: previous ? previous.getEnd() : specifier.getStart(), end: specifier.getEnd(), text: '' };
}
