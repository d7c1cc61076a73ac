import { isBuiltin } from 'node:module';
import { ts } from 'ts-morph';
import { isJavaScript } from './paths.ts';
import { visitNodes, workspacePath } from './symbol-program.ts';
import type { SymbolProgram } from './symbol-program.ts';
import { applyEdits, lineEnding, withoutBlankStart } from './text-edits.ts';
import type { TextEdit } from './text-edits.ts';

type Specifier = ts.ImportSpecifier;

/** Sorts the imports of a file and removes what it does not use. A file that does not parse stays as it is. */
export function organiseFile(program: SymbolProgram, file: ts.SourceFile): { text: string; removed: number } {
  const imports = file.statements.filter((statement) => ts.isImportDeclaration(statement));
  const unchanged = { text: file.text, removed: 0 };
  if (imports.length === 0 || program.hasSyntaxErrors(file)) return unchanged;
  const unused = unusedNames(program, file, imports);
  const texts = new Map(imports.map((one) => [one, rewritten(one, unused)]));
  const edits = runsOf(file, imports).flatMap((run) => reorder(file, run, texts));
  const text = withoutBlankStart(applyEdits(file.text, edits), file.text);
  return { text: text + moduleMarker(file, text), removed: unused.size };
}

/** What imports a name that nothing in the file refers to, JSDoc comments included; what `ignore` holds for does not count. */
export function unusedNames(
  program: SymbolProgram,
  file: ts.SourceFile,
  imports: ts.ImportDeclaration[],
  ignore: (node: ts.Node) => boolean = () => false,
): Set<ts.Node> {
  const names = new Map(imports.flatMap(importedNames).map((name) => [name, name.parent]));
  const byText = Map.groupBy(names.keys(), (name) => name.text);
  const unused = new Set(names.values());
  // The classic JSX transforms call these without their names being written.
  let hasJsx = false;
  visitNodes(file, (node) => {
    if (ts.isJsxElement(node) || ts.isJsxSelfClosingElement(node) || ts.isJsxFragment(node)) hasJsx = true;
    if (!ts.isIdentifier(node) || !byText.has(node.text) || names.has(node) || isMemberName(node) || ignore(node))
      return;
    const declarations = symbolsAt(program.checker, node)?.declarations;
    for (const name of byText.get(node.text)!) {
      if (!declarations || declarations.includes(name.parent as unknown as ts.Declaration)) unused.delete(name.parent);
    }
  });
  const factories = [...file.text.matchAll(/@jsx(?:Frag)?\s+([\w$]+)/g)].map((match) => match[1]!);
  for (const name of names.keys())
    if (hasJsx && ['React', 'h', 'Fragment', ...factories].includes(name.text)) unused.delete(name.parent);
  return unused;
}

function symbolsAt(checker: ts.TypeChecker, node: ts.Identifier): ts.Symbol | undefined {
  const { parent } = node;
  if (ts.isShorthandPropertyAssignment(parent)) return checker.getShorthandAssignmentValueSymbol(parent);
  if (ts.isExportSpecifier(parent)) return checker.getExportSpecifierLocalTargetSymbol(parent);
  return checker.getSymbolAtLocation(node);
}

function isMemberName(node: ts.Identifier): boolean {
  const { parent } = node;
  if (ts.isPropertyAccessExpression(parent)) return parent.name === node;
  if (ts.isQualifiedName(parent)) return parent.right === node;
  if (ts.isExportSpecifier(parent)) return parent.parent.parent.moduleSpecifier !== undefined;
  if (ts.isJsxAttribute(parent)) return true;
  return (ts.isPropertyAssignment(parent) || ts.isBindingElement(parent)) && parent.name !== node
    ? false
    : ts.isPropertyAssignment(parent);
}

/** The names an import binds; the parent of each is its specifier, namespace or clause. */
export function importedNames(one: ts.ImportDeclaration): ts.Identifier[] {
  const { importClause } = one;
  if (!importClause) return [];
  const bindings = importClause.namedBindings;
  const named = !bindings
    ? []
    : ts.isNamespaceImport(bindings)
      ? [bindings.name]
      : bindings.elements.map(({ name }) => name);
  return [...(importClause.name ? [importClause.name] : []), ...named];
}

/** The import without what is unused and with its names sorted; undefined when nothing is left of it. */
export function rewritten(one: ts.ImportDeclaration, unused: Set<ts.Node>): string | undefined {
  const { importClause } = one;
  const source = one.getSourceFile();
  if (!importClause) return one.getText();
  const bindings = importClause.namedBindings;
  const names = importedNames(one);
  // `import {} from 'x'` binds nothing and is there for its effects.
  if (names.length === 0) return one.getText();
  if (names.every((name) => unused.has(name.parent))) return undefined;
  const parts: string[] = [];
  if (importClause.name && !unused.has(importClause)) parts.push(importClause.name.text);
  if (bindings && ts.isNamespaceImport(bindings) && !unused.has(bindings)) parts.push(bindings.getText());
  if (bindings && ts.isNamedImports(bindings)) {
    const kept = bindings.elements.filter((element) => !unused.has(element));
    if (kept.length > 0) parts.push(namedImports(bindings, kept));
  }
  const start = importClause.phaseModifier
    ? (importClause.getFirstToken()?.getEnd() ?? importClause.getStart())
    : undefined;
  const modifier = start === undefined ? '' : `${source.text.slice(importClause.getStart(), start)} `;
  const head = source.text.slice(one.getStart(), importClause.getStart());
  return head + modifier + parts.join(', ') + source.text.slice(importClause.getEnd(), one.getEnd());
}

/** Braces in the layout they had. With comments between the names nothing is sorted. */
function namedImports(bindings: ts.NamedImports, kept: Specifier[]): string {
  const text = bindings.getText();
  const all = [...bindings.elements];
  const hasComments = /\/[/*]/.test(text);
  if (hasComments && kept.length === all.length) return text;
  const sorted = hasComments ? kept : kept.toSorted((a, b) => compareNames(a.name.text, b.name.text));
  if (sorted.length === all.length && sorted.every((element, index) => element === all[index])) return text;
  const isMultiline = /[\r\n]/.test(text);
  const trailing = bindings.elements.hasTrailingComma ? ',' : '';
  const names = sorted.map((element) => element.getText());
  if (!isMultiline) {
    const space = /^\{\s/.test(text) ? ' ' : '';
    return `{${space}${names.join(', ')}${trailing}${space}}`;
  }
  const eol = lineEnding(text);
  const indent = /[\r\n]+([ \t]*)\S/.exec(text)?.[1] ?? '  ';
  const closing = /[\r\n]([ \t]*)\}$/.exec(text)?.[1] ?? '';
  return `{${eol}${names.map((name) => indent + name).join(`,${eol}`)}${trailing}${eol}${closing}}`;
}

/**
 * Groups of imports that may change places: neighbours on lines of their own, with no blank line, comment or side-effect
 * import between them. What has a comment above stays under it, and side effects stay in their order.
 */
function runsOf(file: ts.SourceFile, imports: ts.ImportDeclaration[]): ts.ImportDeclaration[][] {
  const runs: ts.ImportDeclaration[][] = [];
  let previous: ts.ImportDeclaration | undefined;
  for (const one of imports) {
    const between = previous && file.text.slice(previous.getEnd(), one.getStart());
    const adjoins = between !== undefined && /^[ \t]*(\/\/[^\r\n]*)?\r?\n[ \t]*$/.test(between);
    if (adjoins && !staysInPlace(one) && !staysInPlace(previous!)) runs.at(-1)!.push(one);
    else runs.push([one]);
    previous = one;
  }
  return runs;
}

const aboutNextLine = /@ts-(ignore|expect-error)|(eslint|oxlint|biome)-[a-z-]+|prettier-ignore|istanbul ignore/;

/** A comment above the first import may be the file's; one further down, or for the next line, is about the import below it. */
function staysInPlace(one: ts.ImportDeclaration): boolean {
  if (importedNames(one).length === 0) return true;
  const file = one.getSourceFile();
  const comments = ts.getLeadingCommentRanges(file.text, one.getFullStart()) ?? [];
  const own = comments.filter((comment) => /^[ \t]*\r?\n?[ \t]*$/.test(file.text.slice(comment.end, one.getStart())));
  const isFirst = file.statements[0] === one;
  return own.some((comment) => !isFirst || aboutNextLine.test(file.text.slice(comment.pos, comment.end)));
}

function reorder(
  file: ts.SourceFile,
  run: ts.ImportDeclaration[],
  texts: Map<ts.ImportDeclaration, string | undefined>,
): TextEdit[] {
  const kept = run.filter((one) => texts.get(one) !== undefined).toSorted(compareImports);
  if (kept.length === 0) return run.map((one) => wholeLines(file, one));
  const lineOf = (one: ts.ImportDeclaration) =>
    texts.get(one)! + file.text.slice(one.getEnd(), restOfLine(file.text, one.getEnd()));
  return run.map((one, index) => {
    const next = kept[index];
    return next
      ? { start: one.getStart(), end: restOfLine(file.text, one.getEnd()), text: lineOf(next) }
      : wholeLines(file, one);
  });
}

/** End of what may follow a statement on its line and belongs to it: spaces and a line comment. */
function restOfLine(text: string, end: number): number {
  const rest = /^[ \t]*\/\/[^\r\n]*/.exec(
    text.slice(end, text.indexOf('\n', end) < 0 ? undefined : text.indexOf('\n', end)),
  );
  return end + (rest?.[0].trimEnd().length ?? 0);
}

/** Removes a statement with its line; a comment above stays, for it may be the file's licence. */
export function wholeLines(file: ts.SourceFile, one: ts.ImportDeclaration): TextEdit {
  const end = restOfLine(file.text, one.getEnd());
  const lineBreak = /^[ \t]*\r?\n/.exec(file.text.slice(end))?.[0].length ?? 0;
  return { start: one.getStart(), end: end + lineBreak, text: '' };
}

function compareImports(a: ts.ImportDeclaration, b: ts.ImportDeclaration): number {
  const [left, right] = [specifierOf(a), specifierOf(b)];
  return rank(left) - rank(right) || compareNames(left, right);
}

/** Node's own modules, packages, files. */
function rank(specifier: string): number {
  return specifier.startsWith('.') ? 2 : isBuiltin(specifier) ? 0 : 1;
}

function specifierOf(one: ts.ImportDeclaration): string {
  return ts.isStringLiteral(one.moduleSpecifier) ? one.moduleSpecifier.text : '';
}

function compareNames(a: string, b: string): number {
  const [left, right] = [a.toLowerCase(), b.toLowerCase()];
  return left < right ? -1 : left > right ? 1 : a < b ? -1 : Number(a > b);
}

/** A file whose last import is gone must stay a module, or its names would become global. */
function moduleMarker(before: ts.SourceFile, text: string): string {
  if (isJavaScript(workspacePath(before.fileName)) || !ts.isExternalModule(before)) return '';
  const after = ts.createSourceFile(before.fileName, text, before.languageVersion);
  if (ts.isExternalModule(after)) return '';
  const eol = lineEnding(before.text);
  return `${text === '' || text.endsWith('\n') ? '' : eol}export {};${eol}`;
}
