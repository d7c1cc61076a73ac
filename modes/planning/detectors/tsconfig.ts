import { posix } from 'node:path';
import { joinPath } from '../source-tree.ts';
import type { SourceTree } from '../source-tree.ts';
import { isTable, parseJsonTable, stringAt, tableAt } from '../tables.ts';
import type { Table } from '../tables.ts';

/** What planning wants to know of a tsconfig, its `extends` chain followed within the sources. */
export interface TsConfig {
  path: string;
  /** Workspace-relative folders or files that a compilation writes. */
  outputs: string[];
  /** Emits next to the sources: neither `outDir` nor `noEmit` is set. */
  emitsInPlace: boolean;
  /** Workspace-relative tsconfig files of referenced projects. */
  references: string[];
}

export async function readTsConfig(tree: SourceTree, path: string): Promise<TsConfig | undefined> {
  const own = parseJsonc(await tree.text(path));
  if (!own) return undefined;
  const folder = posix.dirname(path);
  const options = await compilerOptions(tree, path, own, 5);
  const outDir = options.get('outDir');
  const outputs = ['outDir', 'declarationDir', 'outFile', 'tsBuildInfoFile']
    .map((key) => options.get(key))
    .filter((value) => typeof value === 'string');
  // Without its build info a later `tsc -b` would build again; with it but without the output it would build nothing.
  if (options.get('composite') === true || options.get('incremental') === true) {
    outputs.push(joinPath(folder, `${posix.basename(path, '.json')}.tsbuildinfo`));
  }
  const references = Array.isArray(own['references']) ? own['references'] : [];
  return {
    path,
    outputs,
    emitsInPlace: outDir === undefined && options.get('noEmit') !== true && options.get('emitDeclarationOnly') !== true,
    references: references
      .map((reference) => (isTable(reference) ? stringAt(reference, 'path') : undefined))
      .filter((target) => target !== undefined)
      .map((target) => joinPath(folder, target))
      .map((target) => (target.endsWith('.json') ? target : joinPath(target, 'tsconfig.json'))),
  };
}

const pathOptions = new Set(['outDir', 'declarationDir', 'outFile', 'tsBuildInfoFile']);

/** Effective options; paths are made workspace-relative against the file that sets them. */
async function compilerOptions(
  tree: SourceTree,
  path: string,
  config: Table,
  depth: number,
): Promise<Map<string, unknown>> {
  const folder = posix.dirname(path);
  const options = new Map<string, unknown>();
  const bases = Array.isArray(config['extends']) ? config['extends'] : [config['extends']];
  for (const base of depth > 0 ? bases : []) {
    if (typeof base !== 'string' || !base.startsWith('.')) continue;
    const target = [joinPath(folder, base), `${joinPath(folder, base)}.json`].find((candidate) =>
      tree.isFile(candidate),
    );
    const inherited = target ? parseJsonc(await tree.text(target)) : undefined;
    if (!target || !inherited) continue;
    for (const [key, value] of await compilerOptions(tree, target, inherited, depth - 1)) options.set(key, value);
  }
  for (const [key, value] of Object.entries(tableAt(config, 'compilerOptions') ?? {})) {
    options.set(key, pathOptions.has(key) && typeof value === 'string' ? joinPath(folder, value) : value);
  }
  return options;
}

/** JSON with comments and trailing commas, as tsconfig files have them. */
function parseJsonc(text: string | undefined): Table | undefined {
  const bare = text
    ?.replace(/"(?:\\.|[^"\\])*"|\/\/[^\n]*|\/\*[\s\S]*?\*\//g, (part) => (part.startsWith('"') ? part : ' '))
    .replace(/"(?:\\.|[^"\\])*"|,(?=\s*[}\]])/g, (part) => (part.startsWith('"') ? part : ''));
  return parseJsonTable(bare);
}
