import type { Node, Tree } from '@vscode/tree-sitter-wasm';
import type { Language } from './languages.ts';
import type { Definition, DefinitionKind, FileSymbols } from './symbols.ts';

const longestSignature = 140;
const longestValue = 60;
const mostDefinitions = 400;
const deepest = 6;
const bodies = new Set(['class', 'interface', 'module', 'enum'] satisfies DefinitionKind[] as DefinitionKind[]);
const functionValues = new Set(['arrow_function', 'function_expression', 'generator_function', 'function', 'class']);

/** What a file defines, from its tree, and what it names, from its text. Bodies of functions are not looked into. */
export function extractSymbols(tree: Tree, source: string, language: Language): FileSymbols {
  const definitions: Definition[] = [];
  const exported = language.family === 'ecmascript' ? exportedNames(source) : undefined;
  visit(tree.rootNode, undefined, 0);
  return { definitions, references: countIdentifiers(source, language), imports: importsIn(source, language) };

  function visit(container: Node, parent: string | undefined, depth: number): void {
    if (depth > deepest) return;
    for (const node of container.namedChildren) {
      if (!node || definitions.length >= mostDefinitions) continue;
      const kind = Object.hasOwn(language.definitions, node.type) ? language.definitions[node.type] : undefined;
      if (kind !== undefined) define(node, kind, parent, depth);
      else if (language.containers.has(node.type)) visit(node, parent, depth + 1);
    }
  }

  function define(node: Node, kind: DefinitionKind, parent: string | undefined, depth: number): void {
    const found = nameOf(node, kind, parent);
    const owner = parent ?? receiverOf(node);
    if (found) {
      const line = node.startPosition.row + 1;
      const local = owner === undefined && exported !== undefined && !isExported(node) && !exported.has(found.name);
      definitions.push({
        ...found,
        line,
        signature: signatureOf(node, source),
        ...(owner === undefined ? {} : { parent: owner }),
        ...(local ? { local: true as const } : {}),
      });
    }
    // `struct point {...} origin;`, `typedef struct {...} Point;`
    const inner = node.childForFieldName('type');
    if (inner?.childForFieldName('body') && inner.childForFieldName('name') && kind !== 'class')
      define(inner, 'class', parent, depth + 1);
    const body = bodies.has(kind) ? node.childForFieldName('body') : null;
    if (body) visit(body, kind === 'module' && node.type !== 'impl_item' ? parent : (found?.name ?? parent), depth + 1);
  }
}

/** The type that a method of Go is of. */
function receiverOf(node: Node): string | undefined {
  const receiver = node.type === 'method_declaration' ? node.childForFieldName('receiver') : null;
  return receiver ? /(\w+)\s*(?:\[[^\]]*\])?\s*\)$/.exec(receiver.text)?.[1] : undefined;
}

/** Name and real kind; undefined for what is not worth a line, e.g. a local constant that is no function. */
function nameOf(
  node: Node,
  kind: DefinitionKind,
  parent: string | undefined,
): Pick<Definition, 'name' | 'kind'> | undefined {
  if (node.type === 'impl_item') return nameFrom(node.childForFieldName('type'), kind);
  if (node.type === 'method_declaration' && node.childForFieldName('receiver'))
    return nameFrom(node.childForFieldName('name'), kind);
  const declarator = node.childForFieldName('declarator');
  if (declarator) return fromDeclarator(node, declarator, kind, parent);
  if (node.type === 'assignment_expression' || node.type === 'assignment') return fromAssignment(node, parent);
  const value = node.childForFieldName('value');
  const real =
    kind === 'constant' && value && functionValues.has(value.type)
      ? parent
        ? 'method'
        : value.type === 'class'
          ? 'class'
          : 'function'
      : kind;
  // Fields are told by their class, and a constant of a module that is not exported is nobody else's business.
  if (real === 'constant' && (parent !== undefined || (node.type === 'variable_declarator' && !isExported(node))))
    return undefined;
  return nameFrom(node.childForFieldName('name'), parent && real === 'function' ? 'method' : real);
}

function nameFrom(name: Node | null, kind: DefinitionKind): Pick<Definition, 'name' | 'kind'> | undefined {
  const text = name?.text;
  // Patterns (`const { a, b } = ...`) and computed names are no names.
  return text && /^[\p{L}_$#~][\p{L}\p{N}_$.:<>, ?!=']*$/u.test(text)
    ? { name: text.replace(/<.*$/s, ''), kind }
    : undefined;
}

/** C and C++: the name is at the heart of the declarator. */
function fromDeclarator(
  node: Node,
  declarator: Node,
  kind: DefinitionKind,
  parent: string | undefined,
): Pick<Definition, 'name' | 'kind'> | undefined {
  let inner: Node | null = declarator;
  let isFunction = false;
  for (let depth = 0; inner && depth < 10; depth++) {
    if (inner.type === 'function_declarator') isFunction = true;
    const next: Node | null =
      inner.childForFieldName('declarator') ??
      (/(pointer|reference|parenthesized)/.test(inner.type) ? inner.lastNamedChild : null);
    if (!next) break;
    inner = next;
  }
  if (node.type === 'type_definition') return nameFrom(inner, 'type');
  if (!isFunction) return undefined;
  const found = nameFrom(inner, parent || kind === 'method' ? 'method' : 'function');
  // `Parser::next` is the definition of `next`.
  return found && { ...found, name: found.name.slice(found.name.lastIndexOf(':') + 1) };
}

/** `exports.parse = function ...`, `Parser.prototype.next = ...`, and constants of Python modules. */
function fromAssignment(node: Node, parent: string | undefined): Pick<Definition, 'name' | 'kind'> | undefined {
  const left = node.childForFieldName('left')?.text ?? '';
  const isFunction = functionValues.has(node.childForFieldName('right')?.type ?? '');
  const member = /^(?:(?:module\.)?exports|[\w$]+\.prototype|[\w$]+)\.([\w$]+)$/.exec(left)?.[1];
  if (member && member !== 'exports') return isFunction ? { name: member, kind: 'function' } : undefined;
  return parent === undefined && node.type === 'assignment' && /^[A-Z][A-Z0-9_]+$/.test(left)
    ? { name: left, kind: 'constant' }
    : undefined;
}

function isExported(node: Node): boolean {
  const parent = node.type === 'variable_declarator' ? node.parent?.parent : node.parent;
  return parent?.type === 'export_statement' || parent?.type === 'ambient_declaration';
}

/** Names in `export { a, b as c }` and `export default a`; undefined for a file that is no module, whose names everybody sees. */
function exportedNames(source: string): Set<string> | undefined {
  if (!/^[ \t]*(?:import|export)\b/m.test(source)) return undefined;
  const lists = [
    ...source.matchAll(/\bexport\s*(?:type\s*)?\{([^}]*)\}|\bexport\s+default\s+([\w$]+)|\bexport\s*=\s*([\w$]+)/g),
  ];
  return new Set(
    lists.flatMap(
      (match) =>
        match
          .slice(1)
          .join(' ')
          .match(/[\w$]+/g) ?? [],
    ),
  );
}

/** The text of a definition up to its body, on one line. */
function signatureOf(node: Node, source: string): string {
  const value = node.childForFieldName('value') ?? node.childForFieldName('right');
  const body =
    node.childForFieldName('body') ??
    (value && functionValues.has(value.type) ? value.childForFieldName('body') : null);
  const end = body ? body.startIndex : Math.min(node.endIndex, node.startIndex + 2 * longestSignature);
  const text = source
    .slice(node.startIndex, end)
    .replaceAll(/\s+/g, ' ')
    .replaceAll(/([([]) | ?,? (?=[)\]])/g, '$1')
    .replace(/\s*(?:=>|[{=:;,])\s*$/, '')
    .trim();
  // Of a constant the name says most.
  if (value && !body && text.length > longestValue) return text.replace(/\s*:?=.*$/s, '');
  return text.length <= longestSignature ? text : `${text.slice(0, longestSignature - 1).toWellFormed()}…`;
}

function countIdentifiers(source: string, { noise }: Language): [string, number][] {
  const counts = new Map<string, number>();
  const code = source.replaceAll(noise, ' ');
  for (const { 0: name, index } of code.matchAll(/[\p{L}_$][\p{L}\p{N}_$]{2,}/gu)) {
    const before = code[index - 1];
    const isMember =
      (before === '.' && code[index - 2] !== '.') || (before === '>' && code[index - 2] === '-') || before === ':';
    const key = isMember ? `.${name}` : name;
    counts.set(key, (counts.get(key) ?? 0) + 1);
  }
  return [...counts];
}

function importsIn(source: string, { imports }: Language): string[] {
  if (!imports) return [];
  const found = [...source.matchAll(imports)].map((match) => match.slice(1).find((group) => group !== undefined) ?? '');
  return [...new Set(found)].filter(Boolean);
}
