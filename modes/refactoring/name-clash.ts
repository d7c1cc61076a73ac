import { ts } from 'ts-morph';
import { notApplicable } from './change.ts';
import { lineOf } from './declarations.ts';
import { denotes } from './references.ts';
import type { Reference } from './references.ts';
import { visitNodes, workspacePath } from './symbol-program.ts';
import type { SymbolProgram } from './symbol-program.ts';

/**
 * Throws a HelixError when writing `to` at the references would make one of them mean something else, give a scope or a
 * module two things of that name, or capture what already says `to`.
 */
export function refuseClashes(program: SymbolProgram, references: Reference[], to: string): void {
  for (const { node } of references) {
    if (!isResolvedByScope(node)) continue;
    const taken = program.checker.resolveName(to, node, ts.SymbolFlags.All, false);
    const declaration = taken?.declarations?.find((one) => !program.isLibrary(one.getSourceFile()));
    if (declaration) throw clash(node, to, declaration);
  }
  const files = new Set(
    references.filter(({ node }) => isResolvedByScope(node)).map(({ node }) => node.getSourceFile()),
  );
  for (const file of files) refuseCapture(program, file, to);
  refuseDoubleExports(program, references, to);
}

/** Names that are looked up in scopes, unlike those of members, of other modules' exports, and in comments. */
function isResolvedByScope(node: ts.Node): boolean {
  const { parent } = node;
  if (!ts.isIdentifier(node) || ts.findAncestor(node, (one) => ts.isJSDoc(one))) return false;
  if (ts.isPropertyAccessExpression(parent)) return parent.name !== node;
  if (ts.isQualifiedName(parent)) return parent.right !== node;
  if (ts.isImportTypeNode(parent)) return false;
  if (ts.isImportSpecifier(parent) || ts.isBindingElement(parent)) return parent.name === node;
  if (ts.isExportSpecifier(parent))
    return !parent.parent.parent.moduleSpecifier && (parent.propertyName ?? parent.name) === node;
  return (
    !(ts.isPropertyAssignment(parent) && parent.name === node) &&
    !ts.isClassElement(parent) &&
    !ts.isTypeElement(parent)
  );
}

/** What said `to` before and meant a global, or something no file declares, would mean the renamed thing. */
function refuseCapture(program: SymbolProgram, file: ts.SourceFile, to: string): void {
  if (!file.text.includes(to)) return;
  visitNodes(file, (node) => {
    if (!ts.isIdentifier(node) || node.text !== to || !isResolvedByScope(node)) return;
    const declarations = program.checker.getSymbolAtLocation(node)?.declarations ?? [];
    if (declarations.some((one) => !program.isLibrary(one.getSourceFile()))) return;
    throw notApplicable(
      `${workspacePath(file.fileName)}:${lineOf(node)} uses "${to}" from outside the file, which the new name would hide: choose another name.`,
    );
  });
}

/** Two things of one name behind `export *` would silently export neither. */
function refuseDoubleExports(program: SymbolProgram, references: Reference[], to: string): void {
  const { checker } = program;
  const meant = new Set(references.flatMap(({ node }) => checker.getSymbolAtLocation(node)?.declarations ?? []));
  for (const file of program.files) {
    const module = checker.getSymbolAtLocation(file);
    if (!module) continue;
    const exported = checker.getExportsOfModule(module);
    if (
      !exported.some(
        (symbol) => denotes(checker, symbol, meant) && references.some(({ node }) => node.text === symbol.name),
      )
    )
      continue;
    const taken = exported.find((symbol) => symbol.name === to && !denotes(checker, symbol, meant));
    if (taken)
      throw notApplicable(`${workspacePath(file.fileName)} already exports another "${to}": choose another name.`);
  }
}

function clash(node: ts.Node, to: string, declaration: ts.Declaration): Error {
  const where = `${workspacePath(node.getSourceFile().fileName)}:${lineOf(node)}`;
  const taken = `${workspacePath(declaration.getSourceFile().fileName)}:${lineOf(declaration)}`;
  return notApplicable(
    `"${to}" already means something else at ${where} (declared at ${taken}), so the two would clash: choose another name.`,
  );
}
