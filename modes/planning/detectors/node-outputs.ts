import { posix } from 'node:path';
import { isInside, joinPath } from '../source-tree.ts';
import type { SourceTree } from '../source-tree.ts';
import { isTable } from '../tables.ts';
import type { NodePackage } from './node-manifest.ts';
import { expandScript } from './node-scripts.ts';
import { readTsConfig } from './tsconfig.ts';

const conventional = ['dist', 'build', 'lib', 'out', 'esm', 'cjs', 'es'];

/**
 * Where a package's build puts its files, from evidence: tsconfig output folders, what the manifest points to without its being in the
 * sources, and the usual folders that are not in the sources. A folder that the build does not make costs nothing.
 */
export async function buildOutputs(tree: SourceTree, pack: NodePackage, script: string): Promise<string[]> {
  const at = (path: string): string => joinPath(pack.folder, path);
  const found = new Set<string>();
  for (const path of await tsConfigs(tree, pack, script)) {
    const config = await readTsConfig(tree, path);
    for (const output of config?.outputs ?? []) found.add(output);
  }
  for (const target of entryPoints(pack)) {
    const path = at(target);
    if (tree.isFile(path)) continue;
    const top = target.split('/')[0] ?? target;
    // A generated file among sources: the whole folder is taken, which lays the same sources over themselves.
    found.add(target.includes('/') ? (tree.isFolder(at(top)) ? at(posix.dirname(target)) : at(top)) : path);
  }
  for (const folder of conventional) if (!tree.isFolder(at(folder))) found.add(at(folder));
  const inside = [...found].filter(
    (path) =>
      path !== pack.folder && isInside(path, pack.folder) && !path.includes('node_modules') && !path.startsWith('..'),
  );
  return inside.filter((path) => !inside.some((other) => other !== path && isInside(path, other))).sort();
}

async function tsConfigs(tree: SourceTree, pack: NodePackage, script: string): Promise<string[]> {
  const named = [...expandScript(pack, script).matchAll(/(?:-p|--project|-b|--build)\s+([\w./-]+)/g)].map((match) =>
    joinPath(pack.folder, match[1] ?? ''),
  );
  const usual = ['tsconfig.json', 'tsconfig.build.json', 'tsconfig.lib.json'].map((name) =>
    joinPath(pack.folder, name),
  );
  const files = [...named.flatMap((path) => [path, joinPath(path, 'tsconfig.json')]), ...usual].filter((path) =>
    tree.isFile(path),
  );
  const referenced = await Promise.all(files.map(async (path) => (await readTsConfig(tree, path))?.references ?? []));
  return [...new Set([...files, ...referenced.flat()])].filter((path) => tree.isFile(path));
}

/** Files a manifest points to, patterns cut at their first star. */
function entryPoints(pack: NodePackage): string[] {
  const { manifest } = pack;
  const found = ['main', 'module', 'types', 'typings', 'browser', 'bin', 'exports', 'unpkg', 'jsdelivr'].flatMap(
    (key) => strings(manifest[key]),
  );
  return found
    .map((path) => posix.normalize(path.replace(/\*.*$/, '')).replace(/\/$/, ''))
    .filter((path) => path !== '.' && path !== '' && !path.startsWith('..') && !path.startsWith('/'))
    .filter((path) => /[./]/.test(path) || conventional.includes(path));
}

function strings(value: unknown): string[] {
  if (typeof value === 'string') return [value];
  if (Array.isArray(value)) return value.flatMap(strings);
  return isTable(value) ? Object.values(value).flatMap(strings) : [];
}
