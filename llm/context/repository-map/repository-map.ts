import { createHash } from 'node:crypto';
import type { TokenEstimator } from '../tokens.ts';
import { attention, mentionedNames } from './focus.ts';
import { buildGraph } from './graph.ts';
import type { ReferenceGraph } from './graph.ts';
import { rankDefinitions, rankFiles } from './rank.ts';
import { renderMap } from './render.ts';
import { sourceFiles } from './source-files.ts';
import type { MapReader, SourceFile } from './source-files.ts';
import { symbolsOf } from './symbol-cache.ts';
import type { SymbolStore } from './symbol-cache.ts';
import type { FileSymbols } from './symbols.ts';
import { mentionsIn } from './words.ts';

export interface MapRequest {
  /** Goal and conversation, in any language: files and definitions named in it count for more. */
  text?: string;
  /** Paths of files that are worked on. */
  paths?: readonly string[];
  /** Estimated tokens the map may have. */
  tokens: number;
  estimator: TokenEstimator;
}

export interface RepositoryMap {
  /** Files with their most important definitions and line numbers, then names of other files; empty for an empty repository. */
  text: string;
  tokens: number;
  /** Files and definitions that are shown, and how many files there are. */
  files: number;
  definitions: number;
  filesInAll: number;
  /** Files that had to be parsed for it, since they were not cached. */
  parsed: number;
}

export interface RepositoryMapper {
  /** The map of a snapshot for a request. The same for the same files and request, whatever is cached. */
  map(reader: MapReader, request: MapRequest): Promise<RepositoryMap>;
}

interface Index {
  files: SourceFile[];
  symbols: FileSymbols[];
  graph: ReferenceGraph;
}

/** Snapshots of one project follow each other: the last few are asked about again and again in a turn. */
const rememberedIndexes = 2;

/** Makes maps of one project's snapshots. `store` outlives the process; the last snapshots are remembered in memory besides. */
export function createRepositoryMapper(store: SymbolStore): RepositoryMapper {
  const remembered = new Map<string, Promise<Index>>();

  return {
    async map(reader, request) {
      const files = await sourceFiles(reader);
      const key = listingKey(files);
      let parsed = 0;
      let index = remembered.get(key);
      if (!index) {
        index = indexFiles(files, reader, store, (count) => (parsed = count));
        index.catch(() => remembered.delete(key));
      }
      remembered.delete(key);
      remembered.set(key, index);
      for (const old of [...remembered.keys()].slice(0, -rememberedIndexes)) remembered.delete(old);
      return { ...draw(await index, request), filesInAll: files.length, parsed };
    },
  };
}

async function indexFiles(
  files: SourceFile[],
  reader: MapReader,
  store: SymbolStore,
  onParsed: (count: number) => void,
): Promise<Index> {
  const { symbols, parsed } = await symbolsOf(files, reader, store);
  onParsed(parsed);
  return { files, symbols, graph: await buildGraph(files, symbols) };
}

function draw({ files, symbols, graph }: Index, request: MapRequest): Omit<RepositoryMap, 'filesInAll' | 'parsed'> {
  const mentions = mentionsIn(request.text ?? '');
  const names = mentionedNames(graph, mentions);
  const start = attention(files, graph, request.paths ?? [], mentions, names);
  const rank = rankFiles(graph, start);
  // No definition takes less than four tokens.
  const most = Math.ceil(request.tokens / 4);
  const definitions = rankDefinitions(graph, rank, symbols, { attention: start, names }, most);
  return renderMap(files, symbols, definitions, rank, request.tokens, request.estimator);
}

function listingKey(files: readonly SourceFile[]): string {
  const hash = createHash('sha1');
  for (const { path, object } of files) hash.update(`${path}\0${object}\0`);
  return hash.digest('hex');
}
