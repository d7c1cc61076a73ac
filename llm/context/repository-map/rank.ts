import type { ReferenceGraph } from './graph.ts';
import type { FileSymbols } from './symbols.ts';

const damping = 0.85;
const rounds = 25;

/**
 * Personalised PageRank: how much a reader comes past each file who starts by `attention`, follows references and now and then starts again. In sum 1.
 */
export function rankFiles({ starts, targets, weights }: ReferenceGraph, attention: Float64Array): Float64Array {
  let rank = Float64Array.from(attention);
  for (let round = 0; round < rounds; round++) {
    const next = new Float64Array(rank.length);
    let kept = 0;
    for (let file = 0; file < rank.length; file++) {
      const [from, to] = [starts[file]!, starts[file + 1]!];
      if (from === to) continue;
      const flow = rank[file]! * damping;
      kept += flow;
      for (let index = from; index < to; index++) next[targets[index]!]! += flow * weights[index]!;
    }
    // What flows nowhere starts again too.
    for (let file = 0; file < rank.length; file++) next[file]! += (1 - kept) * attention[file]!;
    rank = next;
  }
  return rank;
}

export interface RankedDefinition {
  file: number;
  /** Index among the definitions of its file. */
  definition: number;
  score: number;
}

/**
 * The `most` most important definitions, the first first: by the rank that flows to them, a small part of their file's own, and how much attention they got from the start.
 */
export function rankDefinitions(
  graph: ReferenceGraph,
  rank: Float64Array,
  symbols: readonly FileSymbols[],
  start: { attention: Float64Array; names: ReadonlyMap<string, number> },
  most: number,
): RankedDefinition[] {
  const scores = scoreDefinitions(graph, rank, symbols, start);
  // Only those above the score of the last are worth an object each: a large repository has hundreds of thousands.
  const least = scores.length <= most ? -1 : scores.toSorted()[scores.length - most]!;
  const ranked: RankedDefinition[] = [];
  let index = 0;
  for (const [file, { definitions }] of symbols.entries()) {
    for (let definition = 0; definition < definitions.length; definition++) {
      const score = scores[index++]!;
      if (score >= least) ranked.push({ file, definition, score });
    }
  }
  return ranked.sort((a, b) => b.score - a.score || a.file - b.file || a.definition - b.definition).slice(0, most);
}

function scoreDefinitions(
  graph: ReferenceGraph,
  rank: Float64Array,
  symbols: readonly FileSymbols[],
  { attention, names }: { attention: Float64Array; names: ReadonlyMap<string, number> },
): Float64Array {
  const flows = new Float64Array(graph.labelCount);
  for (let file = 0; file < rank.length; file++) {
    for (let index = graph.starts[file]!; index < graph.starts[file + 1]!; index++) {
      const label = graph.labels[index]!;
      if (label !== -1) flows[label]! += rank[file]! * graph.weights[index]!;
    }
  }
  const scores = new Float64Array(symbols.reduce((sum, { definitions }) => sum + definitions.length, 0));
  let index = 0;
  for (const [file, { definitions }] of symbols.entries()) {
    // A file that was named is shown with all it has, whoever refers to it.
    const share = (rank[file]! * 0.3 + attention[file]!) / Math.max(5, definitions.length);
    const labels = graph.labelOf[file]!;
    for (const { name, parent, local } of definitions) {
      const label = labels.get(name);
      // Of a name that several classes of a file have, each gets all: rare, and better shown once too often.
      const flow = label === undefined ? 0 : flows[label]!;
      scores[index++] =
        flow + share * (local ? 0.2 : parent === undefined ? 1 : 0.5) + (names.get(name) ?? 0) * rank[file]!;
    }
  }
  return scores;
}
