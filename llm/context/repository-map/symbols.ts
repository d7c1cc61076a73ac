import type { JsonValue } from '../../../contracts/llm.ts';

export type DefinitionKind =
  'function' | 'method' | 'class' | 'interface' | 'type' | 'enum' | 'constant' | 'module' | 'macro';

export interface Definition {
  kind: DefinitionKind;
  name: string;
  /** From 1. */
  line: number;
  /** On one line, without the body. */
  signature: string;
  /** The class, interface or module it is in. */
  parent?: string;
  /** No other file can name it. */
  local?: true;
}

/** What one file defines and what it names. */
export interface FileSymbols {
  definitions: Definition[];
  /** Identifiers in the file with how often, outside comments and strings; with a `.` before those that are members of something. */
  references: [name: string, count: number][];
  /** What it imports, as it is written. */
  imports: string[];
}

export const noSymbols: FileSymbols = { definitions: [], references: [], imports: [] };

/** A form for the cache that is read fast: names in one string. */
export function packSymbols({ definitions, references, imports }: FileSymbols): JsonValue {
  return [
    definitions.map(({ kind, name, line, signature, parent, local }) => [
      kind,
      name,
      line,
      signature,
      ...(local ? [parent ?? null, 1] : parent === undefined ? [] : [parent]),
    ]),
    references.map(([name, count]) => (count === 1 ? name : `${name} ${count}`)).join('\n'),
    imports,
  ];
}

/** The reverse; undefined for what this version did not write. */
export function unpackSymbols(packed: JsonValue): FileSymbols | undefined {
  if (!Array.isArray(packed)) return undefined;
  const [definitions, references, imports] = packed;
  if (!Array.isArray(definitions) || typeof references !== 'string' || !Array.isArray(imports)) return undefined;
  return {
    definitions: definitions.map((one) => {
      const [kind, name, line, signature, parent, local] = one as [
        DefinitionKind,
        string,
        number,
        string,
        (string | null)?,
        1?,
      ];
      return { kind, name, line, signature, ...(parent ? { parent } : {}), ...(local ? { local: true as const } : {}) };
    }),
    references: references === '' ? [] : references.split('\n').map(readReference),
    imports: imports as string[],
  };
}

function readReference(text: string): [string, number] {
  const space = text.indexOf(' ');
  return space === -1 ? [text, 1] : [text.slice(0, space), Number(text.slice(space + 1))];
}
