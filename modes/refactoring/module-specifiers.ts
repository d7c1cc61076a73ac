import { ScriptTarget, SyntaxKind, ts } from 'ts-morph';
import { visitNodes } from './symbol-program.ts';

/** Calls whose first argument names a module as `import` does. */
const moduleCalls =
  /^(require|require\.resolve|import\.meta\.resolve|(jest|vi)\.(mock|unmock|doMock|dontMock|requireActual|requireMock|importActual|importMock|createMockFromModule))$/;

export function parseSource(path: string, text: string): ts.SourceFile {
  return ts.createSourceFile(`/${path}`, text, ScriptTarget.ESNext, true);
}

/** Every string of a file that names a module: imports, re-exports, require, dynamic imports, import types (in JSDoc too), augmentations, URLs and mocks. */
export function moduleSpecifiers(file: ts.SourceFile): ts.StringLiteralLike[] {
  const found = new Set<ts.StringLiteralLike>();
  visitNodes(file, (node) => {
    const specifier = specifierOf(node);
    if (specifier && ts.isStringLiteralLike(specifier)) found.add(specifier);
  });
  return [...found];
}

function specifierOf(node: ts.Node): ts.Node | undefined {
  if (ts.isImportDeclaration(node) || ts.isExportDeclaration(node) || ts.isJSDocImportTag(node))
    return node.moduleSpecifier;
  if (ts.isExternalModuleReference(node)) return node.expression;
  if (ts.isImportTypeNode(node)) return ts.isLiteralTypeNode(node.argument) ? node.argument.literal : undefined;
  if (ts.isModuleDeclaration(node)) return ts.isStringLiteral(node.name) ? node.name : undefined;
  if (ts.isNewExpression(node)) return isUrlOfThisModule(node) ? node.arguments?.[0] : undefined;
  if (!ts.isCallExpression(node)) return undefined;
  const isModuleCall = node.expression.kind === SyntaxKind.ImportKeyword || moduleCalls.test(node.expression.getText());
  return isModuleCall ? node.arguments[0] : undefined;
}

/** `new URL('./worker.js', import.meta.url)` */
function isUrlOfThisModule(node: ts.NewExpression): boolean {
  return node.expression.getText() === 'URL' && node.arguments?.[1]?.getText() === 'import.meta.url';
}
