import { setImmediate } from 'node:timers/promises';
import type { JsonValue } from '../../../contracts/llm.ts';
import type { ParseJob } from './parse-worker.ts';
import { ParserThread } from './parser-thread.ts';
import type { MapReader, SourceFile } from './source-files.ts';
import { noSymbols, unpackSymbols } from './symbols.ts';
import type { FileSymbols } from './symbols.ts';

/** Keeps JSON by key, for one project; a lost or old value costs time only. */
export interface SymbolStore {
  get(key: string): Promise<JsonValue | undefined>;
  put(key: string, value: JsonValue): Promise<void>;
}

/** Changes with everything that changes what is read out of a file. */
const version = 'map-1';
const packs = 32;
const batchBytes = 1 << 20;
const filesBetweenPauses = 500;
const filesAtOnce = 1_000;

type Pack = Record<string, JsonValue>;

/**
 * The symbols of each file, in order, from the cache by object id and language, else parsed. Files are kept in packs, since thousands of single reads would take longer than some parsing; of what is in no file
 * any more a pack keeps as much as is in files, so that branches do not push each other out.
 */
export async function symbolsOf(
  files: readonly SourceFile[],
  reader: MapReader,
  store: SymbolStore,
): Promise<{ symbols: FileSymbols[]; parsed: number }> {
  const cached = await loadPacks(store);
  const known = new Map<string, FileSymbols>();
  const missing = new Map<string, SourceFile>();
  for (const [index, file] of files.entries()) {
    if (index % filesBetweenPauses === 0) await setImmediate();
    if (!file.language) continue;
    const key = keyOf(file);
    if (known.has(key) || missing.has(key)) continue;
    const symbols = unpackSymbols(cached[packOf(key)]![key] ?? null);
    if (symbols) known.set(key, symbols);
    else missing.set(key, file);
  }
  if (missing.size > 0) {
    for (const [key, packed] of await parseAll([...missing], reader)) {
      cached[packOf(key)]![key] = packed;
      known.set(key, unpackSymbols(packed) ?? noSymbols);
    }
    await savePacks(store, cached, new Set(known.keys()), new Set([...missing.keys()].map(packOf)));
  }
  return {
    symbols: files.map((file) => (file.language ? (known.get(keyOf(file)) ?? noSymbols) : noSymbols)),
    parsed: missing.size,
  };
}

function keyOf(file: SourceFile): string {
  return `${file.object}.${file.language}`;
}

function packOf(key: string): number {
  return Number.parseInt(key.slice(0, 2), 16) % packs || 0;
}

async function loadPacks(store: SymbolStore): Promise<Pack[]> {
  return await Promise.all(
    Array.from({ length: packs }, async (_, index) => {
      const pack = await store.get(`${version}-${index}`);
      return typeof pack === 'object' && pack !== null && !Array.isArray(pack) ? { ...pack } : {};
    }),
  );
}

async function savePacks(
  store: SymbolStore,
  cached: Pack[],
  current: ReadonlySet<string>,
  changed: ReadonlySet<number>,
): Promise<void> {
  for (const index of changed) {
    const entries = Object.entries(cached[index]!);
    const kept = entries.filter(([key]) => current.has(key));
    const old = entries.filter(([key]) => !current.has(key)).slice(-kept.length);
    await store.put(`${version}-${index}`, Object.fromEntries([...old, ...kept]));
  }
}

async function parseAll(missing: [string, SourceFile][], reader: MapReader): Promise<Map<string, JsonValue>> {
  const thread = new ParserThread();
  const parsed = new Map<string, JsonValue>();
  try {
    let batch: (ParseJob & { key: string })[] = [];
    let bytes = 0;
    const flush = async (): Promise<void> => {
      const answers = await thread.parse(batch.map(({ language, source }) => ({ language, source })));
      for (const [index, { key }] of batch.entries()) parsed.set(key, answers[index]!);
      batch = [];
      bytes = 0;
    };
    for (let first = 0; first < missing.length; first += filesAtOnce) {
      const some = missing.slice(first, first + filesAtOnce);
      const contents = await reader.readMany(some.map(([, { path }]) => path));
      for (const [key, { path, language }] of some) {
        const source = contents.get(path)?.toString('utf8') ?? '';
        batch.push({ key, language: language!, source });
        bytes += source.length;
        if (bytes >= batchBytes) await flush();
      }
    }
    if (batch.length > 0) await flush();
  } finally {
    await thread.close();
  }
  return parsed;
}
