import { posix } from 'node:path';
import { ts } from 'ts-morph';
import { possibleSources } from './package-map.ts';
import { isDeclarationFile, joinInside, stemOf } from './paths.ts';
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

/** New contents of the manifests that name `from`, or what is compiled from it, once it is at `to`. */
export function manifestsAfterMove(
  workspace: Workspace,
  configs: ConfigFile[],
  from: string,
  to: string,
): Map<string, string> {
  const edits = new EditsByFile();
  for (const path of workspace.paths) {
    const isPackage = posix.basename(path) === 'package.json';
    if (!isPackage && !isConfigFile(path)) continue;
    const folder = posix.dirname(path);
    const text = workspace.read(path) ?? '';
    if (!text.includes(posix.basename(stemOf(from)))) continue;
    for (const literal of strings(text, path, isPackage ? pathFields : configFields)) {
      const next = renamed(literal.text, folder, isPackage ? configs : undefined, from, to, workspace);
      if (next !== undefined) edits.add(path, { ...literal, text: JSON.stringify(next).slice(1, -1) });
    }
    if (isPackage) renameInScripts(workspace, path, text, folder, from, to, edits);
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

/** What a path in a manifest has to be after the move; undefined when it means something else. */
function renamed(
  value: string,
  folder: string,
  configs: ConfigFile[] | undefined,
  from: string,
  to: string,
  workspace: Workspace,
): string | undefined {
  const path = joinInside(folder, value);
  if (path === undefined || value.includes('*')) return undefined;
  if (path === from) return inStyle(value, posix.relative(folder, to));
  if (!configs || !/\.[cm]?[jt]s$/.test(value) || workspace.has(path)) return undefined;
  const stem = stemOf(from);
  const sources = possibleSources(folder, path, configs);
  // Only where the output's place mirrors the source's does the new place follow.
  const matched = sources.find((source) => workspace.has(source + from.slice(stem.length)));
  if (matched !== stem) return undefined;
  const [before, after] = [posix.relative(folder, stem).split('/'), posix.relative(folder, stemOf(to)).split('/')];
  const outputStem = posix.relative(folder, stemOf(path)).split('/');
  const shared = sharedTail(before, outputStem);
  const sourceRoot = before.slice(0, before.length - shared);
  if (shared === 0 || sourceRoot.some((part, index) => after[index] !== part)) return undefined;
  const moved = [...outputStem.slice(0, outputStem.length - shared), ...after.slice(sourceRoot.length)].join('/');
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

/** Words of scripts that are the path of the moved file. */
function renameInScripts(
  workspace: Workspace,
  path: string,
  text: string,
  folder: string,
  from: string,
  to: string,
  edits: EditsByFile,
): void {
  if (isDeclarationFile(from)) return;
  for (const literal of strings(text, path, new Set(['scripts']))) {
    const raw = text.slice(literal.start, literal.end);
    const next = raw.replace(/[^\s'"\\;&|=]+/g, (word) => {
      const isPath = joinInside(folder, word) === from && workspace.has(from);
      return isPath ? inStyle(word, posix.relative(folder, to)) : word;
    });
    if (next !== raw) edits.add(path, { ...literal, text: next });
  }
}
