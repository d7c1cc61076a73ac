import { SyntaxKind, ts } from 'ts-morph';
import { isCommonJsExports } from './declarations.ts';
import { visitNodes } from './symbol-program.ts';
import type { SymbolProgram } from './symbol-program.ts';

/** A place where a name is written. `shorthand` is the `x` of `{ x }` where the property must keep its name. */
export interface Reference {
  node: ts.Identifier | ts.StringLiteralLike;
  shorthand: boolean;
}

/**
 * Every place that says `name` and means one of `declarations`, through imports, re-exports, namespaces and CommonJS exports.
 * Another name for it (`import { name as other }`) is not touched. Names bound from a module's exports
 * (`const { name } = require(…)`) count as the thing itself, as imports do.
 */
export function findReferences(
  program: SymbolProgram,
  name: string,
  declarations: Iterable<ts.Declaration>,
): Reference[] {
  const meant = new Set<ts.Declaration>(declarations);
  const places = program.files.flatMap((file) => placesOf(file, name));
  const found = new Map<ts.Node, Reference>();
  // A place may show that another declaration hands the name on, which makes more places references.
  for (let known = -1; known !== meant.size;) {
    known = meant.size;
    for (const node of places) {
      const reference = found.get(node) ?? classify(program, node, meant);
      if (reference) found.set(node, reference);
    }
  }
  for (const node of places) {
    if (!found.has(node) && isUnresolvedLink(program, node)) found.set(node, { node, shorthand: false });
  }
  return [...found.values()];
}

function placesOf(file: ts.SourceFile, name: string): Reference['node'][] {
  if (!file.text.includes(name)) return [];
  const places = new Set<Reference['node']>();
  visitNodes(file, (node) => {
    if (ts.isIdentifier(node) && node.text === name) places.add(node);
    const isKey = ts.isStringLiteralLike(node) && node.text === name && ts.isElementAccessExpression(node.parent);
    if (isKey && node.parent.argumentExpression === node) places.add(node);
  });
  return [...places];
}

function classify(program: SymbolProgram, node: Reference['node'], meant: Set<ts.Declaration>): Reference | undefined {
  const { checker } = program;
  const { parent } = node;
  const means = (symbol: ts.Symbol | undefined) => denotes(checker, symbol, meant);
  const plain = { node, shorthand: false };
  if (ts.isShorthandPropertyAssignment(parent) && parent.name === node) {
    if (meant.has(parent)) return plain;
    if (!means(checker.getShorthandAssignmentValueSymbol(parent))) return undefined;
    if (!isExportsObject(parent.parent)) return { node, shorthand: true };
    meant.add(parent);
    return plain;
  }
  if (
    ts.isBindingElement(parent) &&
    parent.name === node &&
    !parent.propertyName &&
    ts.isObjectBindingPattern(parent.parent)
  ) {
    if (means(checker.getSymbolAtLocation(node))) return plain;
    const property = checker.getTypeAtLocation(parent.parent).getProperty(node.text);
    if (!means(property)) return undefined;
    meant.add(parent);
    return plain;
  }
  const handedOn = handedOnBy(node);
  if (handedOn) {
    if (means(checker.getSymbolAtLocation(handedOn.value))) {
      meant.add(handedOn.declaration);
      return plain;
    }
  }
  return means(checker.getSymbolAtLocation(node)) ? plain : undefined;
}

/** `exports.name = value` and `module.exports = { name: value }`, seen from `name`. */
function handedOnBy(node: ts.Node): { value: ts.Identifier; declaration: ts.Declaration } | undefined {
  const { parent } = node;
  if (ts.isPropertyAssignment(parent) && parent.name === node && isExportsObject(parent.parent)) {
    return ts.isIdentifier(parent.initializer) && sameText(parent.initializer, node)
      ? { value: parent.initializer, declaration: parent }
      : undefined;
  }
  if (!ts.isPropertyAccessExpression(parent) || parent.name !== node || !isCommonJsExports(parent.expression))
    return undefined;
  const assignment = parent.parent;
  if (
    !ts.isBinaryExpression(assignment) ||
    assignment.operatorToken.kind !== SyntaxKind.EqualsToken ||
    assignment.left !== parent
  )
    return undefined;
  return ts.isIdentifier(assignment.right) && sameText(assignment.right, node)
    ? { value: assignment.right, declaration: parent as unknown as ts.Declaration }
    : undefined;
}

function sameText(a: ts.Identifier, b: ts.Node): boolean {
  return ts.isIdentifier(b) && a.text === b.text;
}

/** Whether an object literal is what a CommonJS module exports. */
function isExportsObject(object: ts.Node): boolean {
  const { parent } = object;
  return ts.isBinaryExpression(parent) && parent.right === object && isCommonJsExports(parent.left);
}

/** Whether a symbol, through all its aliases, has one of the declarations. */
export function denotes(checker: ts.TypeChecker, symbol: ts.Symbol | undefined, meant: Set<ts.Declaration>): boolean {
  for (let current = symbol; current;) {
    if (current.declarations?.some((declaration) => meant.has(declaration))) return true;
    if (!(current.flags & ts.SymbolFlags.Alias)) return false;
    const next = checker.getImmediateAliasedSymbol(current);
    current = next === current ? undefined : next;
  }
  return false;
}

/** A name in a JSDoc link or reference that means nothing where it stands, as a link to another file's symbol does. */
function isUnresolvedLink(program: SymbolProgram, node: ts.Node): boolean {
  const { parent } = node;
  const isLink =
    ((ts.isJSDocLink(parent) || ts.isJSDocLinkCode(parent) || ts.isJSDocLinkPlain(parent)) && parent.name === node) ||
    (ts.isJSDocNameReference(parent) && parent.name === node);
  return isLink && !program.checker.getSymbolAtLocation(node);
}
