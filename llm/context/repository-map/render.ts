import { posix } from 'node:path';
import type { TokenEstimator } from '../tokens.ts';
import type { RankedDefinition } from './rank.ts';
import type { SourceFile } from './source-files.ts';
import type { Definition, FileSymbols } from './symbols.ts';

/** Share of the budget for names of files without definitions shown. */
const namesShare = 0.2;

export interface RenderedMap {
  text: string;
  tokens: number;
  /** Files with definitions in it. */
  files: number;
  definitions: number;
}

/**
 * The map in at most so many tokens: as many of the definitions as there is room for, the most important ones, under their files in the order of paths; then the other files by folder,
 * those of the highest rank.
 */
export function renderMap(
  files: readonly SourceFile[],
  symbols: readonly FileSymbols[],
  definitions: readonly RankedDefinition[],
  rank: Float64Array,
  tokens: number,
  estimator: TokenEstimator,
): RenderedMap {
  const chosen = choose(files, symbols, definitions, Math.floor(tokens * (1 - namesShare)), estimator);
  const shown = [...chosen.keys()].sort((a, b) => a - b);
  const blocks = shown.map((file) =>
    block(
      files[file]!.path,
      [...chosen.get(file)!].sort((a, b) => a - b).map((index) => symbols[file]!.definitions[index]!),
    ),
  );
  const left = tokens - blocks.reduce((sum, text) => sum + estimator.text(`${text}\n`), 0);
  const others = rankedOthers(files, chosen, rank);
  const names = nameFiles(others, left, estimator);
  const text = [...blocks, ...(names === '' ? [] : [names])].join('\n');
  // Estimates of parts add up to a little more than that of the whole, never to less.
  return {
    text,
    tokens: estimator.text(text),
    files: shown.length,
    definitions: shown.reduce((sum, file) => sum + chosen.get(file)!.size, 0),
  };
}

function choose(
  files: readonly SourceFile[],
  symbols: readonly FileSymbols[],
  definitions: readonly RankedDefinition[],
  tokens: number,
  estimator: TokenEstimator,
): Map<number, Set<number>> {
  const chosen = new Map<number, Set<number>>();
  let left = tokens;
  for (const { file, definition } of definitions) {
    const own = symbols[file]!.definitions;
    const taken = chosen.get(file);
    const wanted = [definition];
    // A method is shown below its class.
    const { parent } = own[definition]!;
    const owner = parent === undefined ? -1 : own.findIndex((one) => one.name === parent);
    if (owner !== -1 && owner !== definition) wanted.push(owner);
    const added = wanted.filter((index) => !taken?.has(index));
    const cost =
      added.reduce((sum, index) => sum + estimator.text(`${line(own[index]!)}\n`), 0) +
      (taken ? 0 : estimator.text(`${files[file]!.path}:\n`) + 1);
    if (cost > left) {
      // Long signatures may not fit where short ones do; near the end there is nothing more to find.
      if (left < tokens * 0.02) break;
      continue;
    }
    left -= cost;
    if (taken) for (const index of added) taken.add(index);
    else chosen.set(file, new Set(added));
  }
  return chosen;
}

function block(path: string, definitions: readonly Definition[]): string {
  return [`${path}:`, ...definitions.map(line)].join('\n');
}

/** The line number and the signature, methods set in. */
function line({ line: number, signature, parent }: Definition): string {
  return `${parent === undefined ? '  ' : '    '}${number} ${signature}`;
}

function rankedOthers(
  files: readonly SourceFile[],
  chosen: ReadonlyMap<number, unknown>,
  rank: Float64Array,
): string[] {
  return files
    .map((file, index) => ({ path: file.path, index }))
    .filter(({ index }) => !chosen.has(index))
    .sort((a, b) => rank[b.index]! - rank[a.index]! || a.index - b.index)
    .map(({ path }) => path);
}

/** `src/util/: a.ts b.ts`, and how many more there are. */
function nameFiles(paths: readonly string[], tokens: number, estimator: TokenEstimator): string {
  const folders = new Map<string, string[]>();
  let left = tokens - 24;
  let count = 0;
  for (const path of paths) {
    const folder = posix.dirname(path);
    const cost =
      estimator.text(`${posix.basename(path)} `) + (folders.has(folder) ? 0 : estimator.text(`${folder}/:\n`) + 1);
    if (cost > left) break;
    left -= cost;
    count += 1;
    const names = folders.get(folder);
    if (names) names.push(posix.basename(path));
    else folders.set(folder, [posix.basename(path)]);
  }
  if (count === 0) return '';
  const rest = paths.length - count;
  const lines = [...folders]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([folder, names]) => `${folder === '.' ? '' : `${folder}/`}: ${names.sort().join(' ')}`);
  return ['Other files:', ...lines, ...(rest > 0 ? [`and ${rest} more files`] : [])].join('\n');
}
