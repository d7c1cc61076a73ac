import { posix } from 'node:path';
import type { ReferenceGraph } from './graph.ts';
import { isTestPath } from './source-files.ts';
import type { SourceFile } from './source-files.ts';
import { plainName } from './words.ts';
import type { Mentions } from './words.ts';

/** Share of the attention that goes to what was named, where something was. */
const focusShare = 0.75;

/** Where a reader would start: a weight for each file, in sum 1. */
export function attention(
  files: readonly SourceFile[],
  graph: ReferenceGraph,
  paths: readonly string[],
  mentions: Mentions,
  names: ReadonlyMap<string, number>,
): Float64Array {
  const named = new Float64Array(files.length);
  const worked = new Set(paths);
  const stems = files.map(({ path }) => stemOf(path));
  const sameStem = new Map<string, number>();
  for (const stem of stems) sameStem.set(stem, (sameStem.get(stem) ?? 0) + 1);
  const endings = [...mentions.paths].filter((path) => path.includes('/')).map((path) => `/${path}`);

  for (const [index, { path }] of files.entries()) {
    const stem = stems[index]!;
    if (worked.has(path) || mentions.paths.has(path)) named[index]! += 20;
    else if (mentions.paths.has(posix.basename(path)) || endings.some((ending) => path.endsWith(ending)))
      named[index]! += 10;
    else if (stem.length >= 4 && mentions.words.has(stem)) named[index]! += 4 / sameStem.get(stem)!;
  }
  for (const [name, weight] of names) {
    const where = graph.definers.get(name) ?? [];
    for (const index of where) named[index]! += (5 * weight) / where.length;
  }

  const plain = files.map(({ path, language }) => (language ? (isTestPath(path) ? 0.2 : 1) : 0.05));
  const plainSum = plain.reduce((sum, weight) => sum + weight, 0) || 1;
  const namedSum = named.reduce((sum, weight) => sum + weight, 0);
  const share = namedSum > 0 ? focusShare : 0;
  return named.map((weight, index) => (share * weight) / (namedSum || 1) + ((1 - share) * plain[index]!) / plainSum);
}

/** The names that a text means, with how surely, from 0 to 1: a plain word may be just a word. */
export function mentionedNames(graph: ReferenceGraph, { identifiers, words }: Mentions): Map<string, number> {
  const names = new Map<string, number>();
  for (const word of words) {
    for (const name of graph.namesByWord.get(word) ?? []) names.set(name, /[a-z][A-Z]|\w_\w/.test(name) ? 0.8 : 0.1);
  }
  for (const name of identifiers) if (graph.definers.has(name)) names.set(name, 1);
  return names;
}

function stemOf(path: string): string {
  const base = path.slice(path.lastIndexOf('/') + 1);
  const dot = base.indexOf('.');
  return plainName(dot > 0 ? base.slice(0, dot) : base);
}
