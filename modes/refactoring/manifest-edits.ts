import { posix } from 'node:path';
import { ts } from 'ts-morph';
import { possibleSources } from './package-map.ts';
import { joinInside, stemOf } from './paths.ts';
import type { ConfigFile } from './tsconfig.ts';
import { isConfigFile } from './tsconfig.ts';
import { EditsByFile } from './text-edits.ts';
import type { Workspace } from './workspace.ts';

/** Fields of package.json whose strings are paths. */
const pathFields = new Set([
  'main',
  'module',
  'browser',
  'types',
  'typings',
  'source',
  'exports',
  'imports',
  'bin',
  'files',
  'sideEffects',
  'typesVersions',
]);
/** Fields of tsconfig.json whose strings are paths. */
const configFields = new Set(['files', 'include', 'exclude', 'compilerOptions']);

/** New contents of the manifests that name a moved file (`moves`: old path to new), or what is compiled from it. */
export function manifestsAfterMove(
  workspace: Workspace,
  configs: ConfigFile[],
  moves: Map<string, string>,
): Map<string, string> {
  const edits = new EditsByFile();
  const names = [...moves.keys()].map((path) => posix.basename(stemOf(path)));
  for (const path of workspace.paths) {
    const isPackage = posix.basename(path) === 'package.json';
    if (!isPackage && !isConfigFile(path)) continue;
    const text = workspace.read(path) ?? '';
    if (!names.some((name) => text.includes(name))) continue;
    const folder = posix.dirname(path);
    const renamedPath = (value: string) =>
      renamed(value, folder, moves) ??
      (isPackage ? renamedOutput(value, folder, configs, moves, workspace) : undefined);
    for (const literal of strings(text, path, isPackage ? pathFields : configFields)) {
      const next = renamedPath(literal.text);
      if (next !== undefined) edits.add(path, { ...literal, text: JSON.stringify(next).slice(1, -1) });
    }
    if (isPackage) renameInScripts(path, text, folder, moves, edits);
  }
  return edits.apply((path) => workspace.read(path));
}

/** A string of a JSON file and where it stands between its quotes. */
interface JsonString {
  text: string;
  start: number;
  end: number;
}

/** The strings at any depth below the named fields of a JSON file's top level. */
function strings(text: string, path: string, fields: Set<string>): JsonString[] {
  const file = ts.parseJsonText(path, text);
  const root = file.statements[0]?.expression;
  const found: JsonString[] = [];
  const collect = (node: ts.Node): void => {
    if (ts.isStringLiteral(node)) found.push({ text: node.text, start: node.getStart(file) + 1, end: node.end - 1 });
    else if (ts.isPropertyAssignment(node)) collect(node.initializer);
    else ts.forEachChild(node, collect);
  };
  for (const property of root && ts.isObjectLiteralExpression(root) ? root.properties : []) {
    if (ts.isPropertyAssignment(property) && ts.isStringLiteral(property.name) && fields.has(property.name.text))
      collect(property.initializer);
  }
  return found;
}

/** The new form of a path that names a moved file, with its extension or without; undefined for any other. */
function renamed(value: string, folder: string, moves: Map<string, string>): string | undefined {
  const path = joinInside(folder, value);
  for (const [from, to] of moves) {
    if (path === from) return inStyle(value, posix.relative(folder, to));
    if (path === stemOf(from) && path !== from) return inStyle(value, posix.relative(folder, stemOf(to)));
  }
  return undefined;
}

/** The new form of a path that names what a moved file is compiled to: where the output's place mirrors the source's, it follows. */
function renamedOutput(
  value: string,
  folder: string,
  configs: ConfigFile[],
  moves: Map<string, string>,
  workspace: Workspace,
): string | undefined {
  const path = joinInside(folder, value);
  const [from, to] = [...moves][0]!;
  if (path === undefined || !/\.[cm]?[jt]s$/.test(value) || value.includes('*') || workspace.has(path))
    return undefined;
  const stem = stemOf(from);
  const source = possibleSources(folder, path, configs).find((one) => workspace.has(one + from.slice(stem.length)));
  if (source !== stem) return undefined;
  const parts = (file: string) => posix.relative(folder, stemOf(file)).split('/');
  const [before, after, output] = [parts(from), parts(to), parts(path)];
  const shared = sharedTail(before, output);
  const root = before.slice(0, before.length - shared);
  if (shared === 0 || root.some((part, index) => after[index] !== part)) return undefined;
  const moved = [...output.slice(0, output.length - shared), ...after.slice(root.length)].join('/');
  return inStyle(value, moved + path.slice(stemOf(path).length));
}

function sharedTail(a: string[], b: string[]): number {
  let length = 0;
  while (length < a.length && length < b.length && a.at(-1 - length) === b.at(-1 - length)) length += 1;
  return length;
}

function inStyle(value: string, path: string): string {
  return value.startsWith('./') && !path.startsWith('.') ? `./${path}` : path;
}

/** Words of scripts that are the path of a moved file. */
function renameInScripts(
  path: string,
  text: string,
  folder: string,
  moves: Map<string, string>,
  edits: EditsByFile,
): void {
  for (const literal of strings(text, path, new Set(['scripts']))) {
    const raw = text.slice(literal.start, literal.end);
    const next = raw.replace(/[^\s'"\\;&|=]+/g, (word) => {
      const to = moves.get(joinInside(folder, word) ?? '');
      return to === undefined ? word : inStyle(word, posix.relative(folder, to));
    });
    if (next !== raw) edits.add(path, { ...literal, text: next });
  }
}
