import { SyntaxKind, ts } from 'ts-morph';
import { notApplicable } from './change.ts';
import { declaredNames, findDeclared, isCommonJsExports, lineOf } from './declarations.ts';
import { isJavaScript } from './paths.ts';
import { visitNodes, workspacePath } from './symbol-program.ts';
import type { SymbolProgram } from './symbol-program.ts';

/** A top-level declaration that is to leave its file: its statements (overloads and merged interfaces are several). */
export interface MovedDeclaration {
  symbol: string;
  file: ts.SourceFile;
  declarations: ts.Declaration[];
  statements: ts.Statement[];
  /** It is only a type, so an import of it may be erased. */
  isType: boolean;
  /** The `export { symbol }` that exports it, unless it has the modifier itself. */
  exportedBy: ts.ExportSpecifier | undefined;
}

/** What the text of a moved declaration refers to in its file. */
export interface Needs {
  /** Imports of the file: specifiers, default clauses, namespaces. */
  imports: Set<ts.ImportSpecifier | ts.ImportClause | ts.NamespaceImport>;
  /** Names other statements of the file export. */
  siblings: Set<string>;
}

/** Throws a HelixError when the symbol is not there, is not exported by its own name, or shares a statement with others. */
export function findMoved(program: SymbolProgram, symbol: string, path: string): MovedDeclaration {
  const file = program.file(path)!;
  refuseCommonJs(file, path);
  const declared = findDeclared(program, symbol, path)[0]!;
  const declarations = declared.declarations.filter((one) => one.getSourceFile() === file);
  const statements = file.statements.filter((statement) =>
    declaredNames(statement).some((name) => declarations.includes(name.parent as ts.Declaration)),
  );
  const whole = statements.flatMap(declaredNames);
  if (statements.length === 0)
    throw notApplicable(`${path}#${symbol} is not declared at the top level of the file, so it cannot be moved.`);
  if (whole.some((name) => name.text !== symbol)) {
    throw notApplicable(
      `${path}:${lineOf(declared.name)} declares "${symbol}" together with other names: give it a declaration of its own first.`,
    );
  }
  if (
    statements.some((statement) => hasModifier(statement, SyntaxKind.DefaultKeyword)) ||
    isDefaultExport(file, symbol)
  ) {
    throw notApplicable(
      `"${symbol}" is the default export of ${path}: make it a named export first, or move the file.`,
    );
  }
  const exportedBy = exportSpecifierOf(file, symbol);
  if (!exportedBy && !statements.some((statement) => hasModifier(statement, SyntaxKind.ExportKeyword))) {
    throw notApplicable(`${path} does not export "${symbol}": export it first.`);
  }
  if (exportedBy?.propertyName) {
    throw notApplicable(
      `${path} exports "${symbol}" under the name "${exportedBy.name.text}": rename it to that first.`,
    );
  }
  const isType = statements.every(
    (statement) => ts.isInterfaceDeclaration(statement) || ts.isTypeAliasDeclaration(statement),
  );
  return { symbol, file, declarations, statements, isType, exportedBy };
}

export function hasModifier(statement: ts.Statement, kind: ts.SyntaxKind): boolean {
  return (
    ts.canHaveModifiers(statement) && Boolean(ts.getModifiers(statement)?.some((modifier) => modifier.kind === kind))
  );
}

export function refuseCommonJs(file: ts.SourceFile, path: string): void {
  if (!isJavaScript(path) || ts.isExternalModule(file)) return;
  const usesCommonJs = file.statements.some((statement) => {
    const expression = ts.isExpressionStatement(statement) ? statement.expression : undefined;
    const target = expression && ts.isBinaryExpression(expression) ? expression.left : undefined;
    return (
      target &&
      (isCommonJsExports(target) || (ts.isPropertyAccessExpression(target) && isCommonJsExports(target.expression)))
    );
  });
  if (usesCommonJs)
    throw notApplicable(
      `${path} is a CommonJS module: move-symbol moves between ES modules only. Move the whole file, or turn it into an ES module first.`,
    );
}

/** Throws a HelixError when the declaration refers to something of its file that nothing outside can import. */
export function needsOf(program: SymbolProgram, moved: MovedDeclaration): Needs {
  const needs: Needs = { imports: new Set(), siblings: new Set() };
  const hidden = new Set<string>();
  for (const node of moved.statements.flatMap((statement) =>
    identifiersIn(statement, isJavaScript(workspacePath(moved.file.fileName))),
  )) {
    for (const declaration of symbolsIn(program.checker, node)?.declarations ?? []) {
      if (declaration.getSourceFile() !== moved.file || moved.declarations.includes(declaration)) continue;
      if (ts.isImportSpecifier(declaration) || ts.isImportClause(declaration) || ts.isNamespaceImport(declaration))
        needs.imports.add(declaration);
      else if (ts.isImportEqualsDeclaration(declaration)) hidden.add(node.text);
      else if (isTopLevel(declaration, moved))
        (isExported(moved.file, declaration, node.text) ? needs.siblings : hidden).add(node.text);
    }
  }
  if (hidden.size > 0) {
    const names = [...hidden].map((name) => `"${name}"`).join(', ');
    throw notApplicable(
      `"${moved.symbol}" uses ${names}, which ${workspacePath(moved.file.fileName)} does not export: export or move that first.`,
    );
  }
  return needs;
}

function identifiersIn(statement: ts.Node, withJsDocTypes: boolean): ts.Identifier[] {
  const found: ts.Identifier[] = [];
  visitNodes(statement, (node) => {
    if (!ts.isIdentifier(node)) return;
    const isComment = ts.findAncestor(node, (one) => ts.isJSDoc(one));
    const isJsDocType = isComment && withJsDocTypes && ts.findAncestor(node, (one) => ts.isJSDocTypeExpression(one));
    if (!isComment || isJsDocType) found.push(node);
  });
  return found;
}

function symbolsIn(checker: ts.TypeChecker, node: ts.Identifier): ts.Symbol | undefined {
  if (ts.isShorthandPropertyAssignment(node.parent)) return checker.getShorthandAssignmentValueSymbol(node.parent);
  return checker.getSymbolAtLocation(node);
}

function isTopLevel(declaration: ts.Declaration, moved: MovedDeclaration): boolean {
  const statement = ts.findAncestor(declaration, (node) => node.parent === moved.file) as ts.Statement | undefined;
  if (!statement || moved.statements.includes(statement)) return false;
  return (
    ts.isJSDocTypedefTag(declaration) ||
    ts.isJSDocCallbackTag(declaration) ||
    declaredNames(statement).some((name) => isNameOf(name, declaration))
  );
}

function isNameOf(name: ts.Identifier, declaration: ts.Declaration): boolean {
  return name.parent === declaration;
}

function isExported(file: ts.SourceFile, declaration: ts.Declaration, name: string): boolean {
  const statement = ts.findAncestor(declaration, (node) => node.parent === file) as ts.Statement;
  if (hasModifier(statement, SyntaxKind.ExportKeyword) && !hasModifier(statement, SyntaxKind.DefaultKeyword))
    return true;
  const specifier = exportSpecifierOf(file, name);
  return specifier !== undefined && !specifier.propertyName;
}

function exportSpecifierOf(file: ts.SourceFile, name: string): ts.ExportSpecifier | undefined {
  return file.statements
    .flatMap((statement) =>
      ts.isExportDeclaration(statement) && !statement.moduleSpecifier && statement.exportClause
        ? [statement.exportClause]
        : [],
    )
    .flatMap((clause) => (ts.isNamedExports(clause) ? [...clause.elements] : []))
    .find((specifier) => (specifier.propertyName ?? specifier.name).text === name);
}

function isDefaultExport(file: ts.SourceFile, name: string): boolean {
  return file.statements.some(
    (statement) =>
      ts.isExportAssignment(statement) && ts.isIdentifier(statement.expression) && statement.expression.text === name,
  );
}
