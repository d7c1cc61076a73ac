import { ts } from 'ts-morph';
import { rewritten, wholeLines } from './import-order.ts';
import { lineEnding } from './text-edits.ts';
import type { TextEdit } from './text-edits.ts';

/** A name to import: `imported` is the name exported there, `default`, or `*`. */
export interface Wanted {
  specifier: string;
  imported: string;
  local: string;
  isType: boolean;
}

/** Changes of the imports of one file, gathered and then turned into edits. */
export class ImportEditor {
  readonly #file: ts.SourceFile;
  readonly #removed = new Set<ts.Node>();
  readonly #wanted: Wanted[] = [];
  readonly #reexports: string[] = [];

  constructor(file: ts.SourceFile) {
    this.#file = file;
  }

  remove(specifier: ts.ImportSpecifier | ts.ImportClause | ts.NamespaceImport): void {
    this.#removed.add(specifier);
  }

  add(wanted: Wanted): void {
    const known = this.#wanted.find((one) => one.specifier === wanted.specifier && one.local === wanted.local);
    if (!known) this.#wanted.push(wanted);
    else known.isType &&= wanted.isType;
  }

  /** Adds a statement of its own below the imports. */
  addReexport(specifier: string, names: string, isType: boolean): void {
    const { quote, end } = styleOf(this.#file);
    this.#reexports.push(`export ${isType ? 'type ' : ''}{ ${names} } from ${quote}${specifier}${quote}${end}`);
  }

  edits(): TextEdit[] {
    const imports = this.#file.statements.filter((statement) => ts.isImportDeclaration(statement));
    const left = [...this.#wanted];
    const edits: TextEdit[] = [];
    const free: ts.ImportDeclaration[] = [];
    for (const one of imports) {
      const joining = left.filter((wanted) => canJoin(one, wanted));
      const text = rewritten(one, this.#removed);
      const touched = text !== one.getText();
      if (touched && text === undefined) free.push(one);
      else if (joining.length > 0) {
        for (const wanted of joining) left.splice(left.indexOf(wanted), 1);
        edits.push({ start: one.getStart(), end: one.getEnd(), text: joined(one, text, joining) });
      } else if (touched) edits.push({ start: one.getStart(), end: one.getEnd(), text });
    }
    const statements = statementsFor(left, this.#file);
    // A new import takes the line of one that goes, so that the order of the file stays.
    for (const one of free) {
      const text = statements.shift();
      edits.push(text === undefined ? wholeLines(this.#file, one) : { start: one.getStart(), end: one.getEnd(), text });
    }
    const rest = [...statements, ...this.#reexports];
    if (rest.length > 0) edits.push(insertion(this.#file, imports.at(-1), rest));
    return edits;
  }
}

/** Statements for names to import, one for each module and kind. */
export function statementsFor(wanted: Wanted[], like: ts.SourceFile): string[] {
  const { quote, end } = styleOf(like);
  const groups = Map.groupBy(wanted, ({ specifier, imported, local, isType }) =>
    [specifier, isType, imported === '*' || imported === 'default' ? local : ''].join('\0'),
  );
  return [...groups.values()].map((group) => {
    const { specifier, imported, local, isType } = group[0]!;
    const names = group.map(nameText).toSorted().join(', ');
    const clause = imported === '*' ? `* as ${local}` : imported === 'default' ? local : `{ ${names} }`;
    return `import ${isType ? 'type ' : ''}${clause} from ${quote}${specifier}${quote}${end}`;
  });
}

function nameText({ imported, local }: Wanted): string {
  return imported === local ? local : `${imported} as ${local}`;
}

function canJoin(one: ts.ImportDeclaration, wanted: Wanted): boolean {
  const clause = one.importClause;
  if (!clause?.namedBindings || !ts.isNamedImports(clause.namedBindings) || clause.namedBindings.elements.length === 0)
    return false;
  const sameModule = ts.isStringLiteral(one.moduleSpecifier) && one.moduleSpecifier.text === wanted.specifier;
  return sameModule && wanted.imported !== '*' && wanted.imported !== 'default' && isTypeOnly(clause) === wanted.isType;
}

export function isTypeOnly(clause: ts.ImportClause): boolean {
  return clause.phaseModifier === ts.SyntaxKind.TypeKeyword;
}

/** Adds names to an import's braces, in their layout. */
function joined(one: ts.ImportDeclaration, text: string, wanted: Wanted[]): string {
  const close = text.lastIndexOf('}', text.length - one.moduleSpecifier.getText().length);
  const inside = text.slice(0, close).trimEnd();
  const separator = inside.endsWith(',') ? '' : ',';
  const lastLine = /\n([ \t]*)[^\n]*$/.exec(inside);
  const gap = lastLine ? `${lineEnding(text)}${lastLine[1]}` : ' ';
  const trailing = inside.endsWith(',') ? ',' : '';
  return `${inside}${separator}${gap}${wanted.map(nameText).join(`,${gap}`)}${trailing}${text.slice(inside.length)}`;
}

function insertion(file: ts.SourceFile, last: ts.ImportDeclaration | undefined, statements: string[]): TextEdit {
  const eol = lineEnding(file.text);
  if (last) return { start: last.getEnd(), end: last.getEnd(), text: statements.map((text) => eol + text).join('') };
  const at = startOfStatements(file);
  return { start: at, end: at, text: statements.map((text) => text + eol).join('') + eol };
}

/** Behind a `#!` line, a leading comment set off by a blank line, and directives. */
function startOfStatements(file: ts.SourceFile): number {
  const firsts = file.statements.findIndex(
    (statement) => !(ts.isExpressionStatement(statement) && ts.isStringLiteral(statement.expression)),
  );
  const first = file.statements[firsts < 0 ? 0 : firsts];
  if (!first) return file.text.length;
  const comments = ts.getLeadingCommentRanges(file.text, first.getFullStart()) ?? [];
  const attached = comments.findIndex(
    (_, index) => !/\n\s*\n/.test(file.text.slice(comments[index]!.end, comments[index + 1]?.pos ?? first.getStart())),
  );
  return attached < 0 ? first.getStart() : comments[attached]!.pos;
}

/** Quotes and semicolons as the file has them. */
export function styleOf(file: ts.SourceFile): { quote: string; end: string } {
  const double = file.text.split('"').length;
  const single = file.text.split("'").length;
  const imports = file.statements.filter(
    (statement) => ts.isImportDeclaration(statement) || ts.isExportDeclaration(statement),
  );
  const sample =
    imports.length > 0
      ? imports
      : file.statements.filter((statement) => ts.isVariableStatement(statement) || ts.isExpressionStatement(statement));
  const without = sample.filter((statement) => !statement.getText().endsWith(';')).length;
  const quoted = imports.map((one) => one.moduleSpecifier?.getText()[0]).find((quote) => quote !== undefined);
  return {
    quote: quoted ?? (double > single ? '"' : "'"),
    end: sample.length > 0 && without > sample.length / 2 ? '' : ';',
  };
}
