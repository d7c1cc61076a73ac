import { ts } from 'ts-morph';
import { notApplicable, plural } from './change.ts';
import type { Change } from './change.ts';
import { findDeclared } from './declarations.ts';
import { ModuleResolver } from './module-resolver.ts';
import { SymbolProgram, programPath, workspacePath } from './symbol-program.ts';
import { EditsByFile } from './text-edits.ts';
import type { Workspace } from './workspace.ts';

/** Renames `Container.member`: a property or method of a top-level class, interface, type, enum, namespace or object. */
export function renameMember(workspace: Workspace, symbol: string, to: string, file: string | undefined): Change {
  const [containerName, memberName] = symbol.split('.') as [string, string];
  if (memberName === to) return { files: new Map(), summary: `${symbol} is called that already` };
  // Values reach members along types, so any file may matter.
  const program = new SymbolProgram(workspace, new ModuleResolver(workspace), workspace.sources);
  const container = findDeclared(program, containerName, file)[0]!;
  const { member, taken } = lookUp(program, container.name, memberName, to);
  const declaration = member?.declarations?.[0];
  const name = declaration && ts.getNameOfDeclaration(declaration);
  if (!name || !ts.isIdentifier(name))
    throw notApplicable(
      `${containerName} in ${container.file} has no member "${memberName}" with a plain name: check the name.`,
    );
  if (taken)
    throw notApplicable(`${containerName} in ${container.file} already has a member "${to}": choose another name.`);
  const locations =
    program.service.findRenameLocations(name.getSourceFile().fileName, name.getStart(), false, false, {
      providePrefixAndSuffixTextForRename: true,
    }) ?? [];
  const edits = new EditsByFile();
  for (const { fileName, textSpan, prefixText = '', suffixText = '' } of locations) {
    if (!fileName.startsWith(programPath('')) || !workspace.has(workspacePath(fileName))) continue;
    edits.add(workspacePath(fileName), {
      start: textSpan.start,
      end: textSpan.start + textSpan.length,
      text: prefixText + to + suffixText,
    });
  }
  const files = edits.apply((path) => workspace.read(path));
  return {
    files,
    summary: `renamed ${symbol} to ${to}: ${plural(edits.size, 'place')} in ${plural(files.size, 'file')}`,
  };
}

function lookUp(program: SymbolProgram, container: ts.Node, memberName: string, to: string) {
  const { checker } = program;
  const symbol = checker.getSymbolAtLocation(container)!;
  const types = [
    ...(symbol.flags & ts.SymbolFlags.Type ? [checker.getDeclaredTypeOfSymbol(symbol)] : []),
    ...(symbol.flags & ts.SymbolFlags.Value ? [checker.getTypeOfSymbolAtLocation(symbol, container)] : []),
  ];
  const find = (name: string) =>
    types
      .map((type) => checker.getPropertyOfType(type, name))
      .find((property) => property?.declarations?.some((one) => !program.isLibrary(one.getSourceFile()))) ??
    symbol.exports?.get(ts.escapeLeadingUnderscores(name));
  return { member: find(memberName), taken: find(to) };
}
