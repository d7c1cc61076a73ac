import { ScriptTarget, SyntaxKind, ts } from 'ts-morph';
import { notApplicable } from './change.ts';

const neverNames = new Set(['undefined', 'NaN', 'Infinity', 'arguments', 'eval', 'await', 'globalThis']);
const notForTypes = new Set([
  'any',
  'unknown',
  'never',
  'void',
  'string',
  'number',
  'boolean',
  'bigint',
  'symbol',
  'object',
  'type',
]);

/** Whether `text` can name something in any kind of module; strict mode's reserved words cannot. */
export function isIdentifierName(text: string): boolean {
  if (neverNames.has(text)) return false;
  const scanner = ts.createScanner(ScriptTarget.ESNext, false, undefined, text);
  const kind = scanner.scan();
  if (scanner.getTokenEnd() !== text.length || scanner.hasUnicodeEscape()) return false;
  return kind === SyntaxKind.Identifier || kind > SyntaxKind.LastFutureReservedWord;
}

/** Throws a HelixError when `name` cannot be the name of what is declared. */
export function requireIdentifier(name: string, declarations: ts.Declaration[] = []): void {
  if (!isIdentifierName(name)) {
    throw notApplicable(
      `"${name}" cannot be a name in TypeScript and JavaScript: take letters, digits, _ and $, and no reserved word.`,
    );
  }
  const isType = declarations.some(
    (node) =>
      ts.isClassLike(node) ||
      ts.isInterfaceDeclaration(node) ||
      ts.isTypeAliasDeclaration(node) ||
      ts.isEnumDeclaration(node),
  );
  if (isType && notForTypes.has(name)) throw notApplicable(`"${name}" cannot be the name of a type: take another one.`);
}
