import { SyntaxKind, ts } from 'ts-morph';
import { notApplicable } from './change.ts';
import { isDeclarationFile, stemOf } from './paths.ts';
import { visitNodes, workspacePath } from './symbol-program.ts';
import type { SymbolProgram } from './symbol-program.ts';

/** A declared symbol: all its declarations (overloads, merged interfaces), and the name in the first of them. */
export interface Declared {
  file: string;
  name: ts.Node;
  declarations: ts.Declaration[];
}

/** The top-level declarations of `name` in a file, CommonJS exports made on the spot (`exports.name = …`) among them. */
export function topLevelDeclarations(file: ts.SourceFile, name: string): ts.Identifier[] {
  return file.statements.flatMap(declaredNames).filter((identifier) => identifier.text === name);
}

/** Every name a statement declares in the scope it is in. */
export function declaredNames(statement: ts.Statement): ts.Identifier[] {
  if (ts.isVariableStatement(statement))
    return statement.declarationList.declarations.flatMap(({ name }) => boundNames(name));
  if (ts.isExpressionStatement(statement)) return commonJsNames(statement.expression);
  const named =
    ts.isFunctionDeclaration(statement) ||
    ts.isClassDeclaration(statement) ||
    ts.isInterfaceDeclaration(statement) ||
    ts.isTypeAliasDeclaration(statement) ||
    ts.isEnumDeclaration(statement) ||
    ts.isModuleDeclaration(statement);
  return named && statement.name && ts.isIdentifier(statement.name) ? [statement.name] : [];
}

/** Names bound by a name or a destructuring pattern. */
export function boundNames(name: ts.BindingName): ts.Identifier[] {
  if (ts.isIdentifier(name)) return [name];
  return name.elements.flatMap((element) => (ts.isBindingElement(element) ? boundNames(element.name) : []));
}

/** Whether an expression is `module.exports` or `exports`. */
export function isCommonJsExports(node: ts.Node): boolean {
  if (ts.isIdentifier(node)) return node.text === 'exports';
  return ts.isPropertyAccessExpression(node) && node.getText() === 'module.exports';
}

/** `exports.a = function …` declares a; `exports.a = a` only hands it on. The same for the properties of `module.exports = {…}`. */
function commonJsNames(expression: ts.Expression): ts.Identifier[] {
  if (!ts.isBinaryExpression(expression) || expression.operatorToken.kind !== SyntaxKind.EqualsToken) return [];
  const { left, right } = expression;
  const further = ts.isBinaryExpression(right) ? commonJsNames(right) : [];
  if (ts.isPropertyAccessExpression(left) && isCommonJsExports(left.expression) && ts.isIdentifier(left.name)) {
    return [...(ts.isIdentifier(right) ? [] : [left.name]), ...further];
  }
  if (!isCommonJsExports(left) || !ts.isObjectLiteralExpression(right)) return further;
  return right.properties.flatMap((property) => {
    const declares =
      ts.isMethodDeclaration(property) || (ts.isPropertyAssignment(property) && !ts.isIdentifier(property.initializer));
    return declares && ts.isIdentifier(property.name) ? [property.name] : [];
  });
}

/**
 * Finds what a rename is about: a top-level declaration of `symbol` in `file`, or the only one in the program; within a
 * given file also a local one. Throws a HelixError when there is none, or several and no file says which.
 */
export function findDeclared(program: SymbolProgram, symbol: string, file: string | undefined): Declared[] {
  const searched = file === undefined ? program.files : [program.file(file)!];
  const found = searched.flatMap((source) => groupBySymbol(program, topLevelDeclarations(source, symbol)));
  if (found.length === 0 && file !== undefined) found.push(...localDeclarations(program, searched[0]!, symbol));
  if (found.length === 0) throw notFound(program, symbol, file);
  const distinct = withoutCompanions(found);
  if (distinct.length > 1) throw ambiguous(symbol, file, distinct);
  if (file === undefined) return found;
  const companions = program.files.filter((source) => areCompanions(workspacePath(source.fileName), file));
  return [...found, ...companions.flatMap((source) => groupBySymbol(program, topLevelDeclarations(source, symbol)))];
}

/** `queue.js` and `queue.d.ts` declare the same thing. */
function areCompanions(a: string, b: string): boolean {
  return a !== b && stemOf(a) === stemOf(b) && isDeclarationFile(a) !== isDeclarationFile(b);
}

function withoutCompanions(found: Declared[]): Declared[] {
  return found.filter(
    (one) => !isDeclarationFile(one.file) || !found.some((other) => areCompanions(one.file, other.file)),
  );
}

function groupBySymbol(program: SymbolProgram, names: ts.Identifier[]): Declared[] {
  const bySymbol = new Map<ts.Symbol, Declared>();
  for (const name of names) {
    const symbol = program.checker.getSymbolAtLocation(name);
    if (!symbol?.declarations || bySymbol.has(symbol) || isTakenFromModule(name)) continue;
    bySymbol.set(symbol, {
      file: workspacePath(name.getSourceFile().fileName),
      name,
      declarations: symbol.declarations,
    });
  }
  return [...bySymbol.values()];
}

/** `const { name } = require(…)` takes what is declared elsewhere, as an import does. */
function isTakenFromModule(name: ts.Identifier): boolean {
  const holder = ts.findAncestor(name, (node) => ts.isVariableDeclaration(node));
  return Boolean(
    holder?.initializer &&
    ts.isBindingElement(name.parent) &&
    /^(await\s+import|require)\s*\(/.test(holder.initializer.getText()),
  );
}

function localDeclarations(program: SymbolProgram, file: ts.SourceFile, name: string): Declared[] {
  const names: ts.Identifier[] = [];
  visitNodes(file, (node) => {
    if (!ts.isIdentifier(node) || node.text !== name || isInJsDoc(node)) return;
    const symbol = program.checker.getSymbolAtLocation(node);
    const declares = symbol?.declarations?.some((one) => ts.getNameOfDeclaration(one) === node);
    const isImported = Boolean(symbol && symbol.flags & ts.SymbolFlags.Alias);
    const isMember = Boolean(symbol && symbol.flags & (ts.SymbolFlags.ClassMember | ts.SymbolFlags.EnumMember));
    if (declares && !isImported && !isMember) names.push(node);
  });
  return groupBySymbol(program, names);
}

function isInJsDoc(node: ts.Node): boolean {
  return Boolean(ts.findAncestor(node, (parent) => ts.isJSDoc(parent)));
}

function notFound(program: SymbolProgram, symbol: string, file: string | undefined): Error {
  if (file === undefined) {
    return notApplicable(
      `no file of the workspace declares "${symbol}" at its top level: check the name, or say FILE#${symbol} for a local one.`,
    );
  }
  const elsewhere = program.files
    .filter((source) => topLevelDeclarations(source, symbol).length > 0)
    .map((source) => workspacePath(source.fileName));
  const hint = elsewhere.length > 0 ? `it is declared in ${elsewhere.join(', ')}` : 'check the name and the file';
  return notApplicable(`${file} does not declare "${symbol}": ${hint}.`);
}

function ambiguous(symbol: string, file: string | undefined, found: Declared[]): Error {
  const places = found.map(({ file: path, name }) => `${path}:${lineOf(name)}`).join(', ');
  return notApplicable(
    file === undefined
      ? `"${symbol}" is declared in several files (${places}): say which one as FILE#NAME, for example ${found[0]!.file}#${symbol}.`
      : `"${symbol}" is declared several times in ${file} (${places}) and a recipe cannot tell them apart.`,
  );
}

/** Line of a node in its file, counted from 1. */
export function lineOf(node: ts.Node): number {
  return node.getSourceFile().getLineAndCharacterOfPosition(node.getStart()).line + 1;
}
