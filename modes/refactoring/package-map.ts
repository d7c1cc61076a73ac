import { posix } from 'node:path';
import type { ConfigFile } from './tsconfig.ts';
import { isDeclarationFile, joinInside, stemOf } from './paths.ts';
import type { Workspace } from './workspace.ts';

type Target = string | null | Target[] | { [condition: string]: Target };

interface Manifest {
  name?: string;
  type?: string;
  main?: string;
  module?: string;
  types?: string;
  typings?: string;
  source?: string;
  exports?: Target;
  imports?: { [name: string]: Target };
}

/** A package of the workspace: its folder (`.` for the root) and its manifest. */
export interface WorkspacePackage {
  folder: string;
  manifest: Manifest;
}

/** Finds a file for a path without caring for extension or index. */
export type FindFile = (path: string) => string | undefined;

/** Every package.json that parses, the deepest folders first. */
export function readPackages(workspace: Workspace): WorkspacePackage[] {
  return workspace.paths
    .filter((path) => posix.basename(path) === 'package.json')
    .flatMap((path) => {
      try {
        const manifest = JSON.parse(workspace.read(path) ?? '') as Manifest | null;
        return manifest && typeof manifest === 'object' ? [{ folder: posix.dirname(path), manifest }] : [];
      } catch {
        return [];
      }
    })
    .sort((a, b) => b.folder.length - a.folder.length);
}

/** `@scope/b/util` -> [`@scope/b`, `./util`]. */
export function splitSpecifier(specifier: string): [name: string, subpath: string] {
  const parts = specifier.split('/');
  const length = specifier.startsWith('@') ? 2 : 1;
  return [parts.slice(0, length).join('/'), ['.', ...parts.slice(length)].join('/')];
}

/** The sources behind a subpath (`.`, `./util`) of a package, whatever of it is built. */
export function resolveSubpath(
  of: WorkspacePackage,
  subpath: string,
  configs: ConfigFile[],
  find: FindFile,
): string | undefined {
  const { exports, source, module, main, types, typings } = of.manifest;
  const targets =
    exports !== undefined && exports !== null
      ? matchTargets(subpathTable(exports), subpath)
      : subpath === '.'
        ? [source, module, main, types, typings, './index'].flatMap((target) =>
            typeof target === 'string' ? target : [],
          )
        : [subpath];
  const found = targets.flatMap((target) => sourceOf(of.folder, target, configs, find) ?? []);
  const usual = subpath === '.' ? ['src/index', 'index', 'lib/index', 'src/main'] : [`src/${subpath.slice(2)}`];
  const guesses =
    exports === undefined || subpath === '.' ? usual.flatMap((path) => find(posix.join(of.folder, path)) ?? []) : [];
  const candidates = [...found, ...guesses];
  return candidates.find((path) => !isDeclarationFile(path)) ?? candidates[0];
}

/** The file behind a `#name` import of a package. */
export function resolvePackageImport(
  of: WorkspacePackage,
  name: string,
  configs: ConfigFile[],
  find: FindFile,
): string | undefined {
  const targets = matchTargets(of.manifest.imports ?? {}, name).filter((target) => target.startsWith('.'));
  return targets.map((target) => sourceOf(of.folder, target, configs, find)).find((path) => path !== undefined);
}

/** Subpaths of the package with a `*`, as `[prefix, suffix]` of the specifier below the package's name. */
export function subpathPatterns(of: WorkspacePackage): string[] {
  return of.manifest.exports ? Object.keys(subpathTable(of.manifest.exports)).filter((key) => key.includes('*')) : [];
}

/** The part of `text` a pattern's `*` stands for; undefined when it does not match. */
export function matchPattern(pattern: string, text: string): string | undefined {
  const star = pattern.indexOf('*');
  if (star < 0) return pattern === text ? '' : undefined;
  const [prefix, suffix] = [pattern.slice(0, star), pattern.slice(star + 1)];
  const fits = text.length >= prefix.length + suffix.length && text.startsWith(prefix) && text.endsWith(suffix);
  return fits ? text.slice(prefix.length, text.length - suffix.length) : undefined;
}

function subpathTable(exports: Target): { [subpath: string]: Target } {
  const hasSubpaths =
    typeof exports === 'object' && exports !== null && Object.keys(exports).some((key) => key.startsWith('.'));
  return hasSubpaths && !Array.isArray(exports) ? exports : { '.': exports };
}

function matchTargets(table: { [key: string]: Target }, key: string): string[] {
  if (table[key] !== undefined && !key.includes('*')) return flatten(table[key]);
  const patterns = Object.keys(table).filter((pattern) => pattern.includes('*'));
  for (const pattern of patterns.sort((a, b) => b.indexOf('*') - a.indexOf('*'))) {
    const star = matchPattern(pattern, key);
    if (star !== undefined) return flatten(table[pattern]!).map((target) => target.replaceAll('*', star));
  }
  return [];
}

function flatten(target: Target): string[] {
  if (typeof target === 'string') return [target];
  return target === null || typeof target !== 'object' ? [] : Object.values(target).flatMap(flatten);
}

/** The source of a target of a manifest: the file itself, or what is compiled to it. */
function sourceOf(folder: string, target: string, configs: ConfigFile[], find: FindFile): string | undefined {
  const path = joinInside(folder, target);
  if (path === undefined) return undefined;
  const direct = find(path);
  if (direct && !isDeclarationFile(direct)) return direct;
  for (const source of possibleSources(folder, path, configs)) {
    const found = find(source);
    if (found && !isDeclarationFile(found)) return found;
  }
  return direct;
}

/** Where the source of an output file may be, without its extension, likeliest first. */
export function possibleSources(folder: string, output: string, configs: ConfigFile[]): string[] {
  const stem = stemOf(output);
  const within = (parent: string) => (parent === '.' ? stem : posix.relative(parent, stem));
  const configured = configs
    .filter((config) => folder === '.' || posix.dirname(config.path) === folder)
    .flatMap((config) =>
      config.outDirs
        .filter((outDir) => output.startsWith(`${outDir}/`))
        .flatMap((outDir) =>
          [config.rootDir, posix.join(folder, 'src'), folder].flatMap((root) =>
            root === undefined ? [] : posix.join(root, within(outDir)),
          ),
        ),
    );
  const parts = within(folder).split('/');
  const guessed = [1, 2].flatMap((count) =>
    parts.length > count
      ? ['src', 'source', 'lib', '.'].map((root) => posix.join(folder, root, ...parts.slice(count)))
      : [],
  );
  return [...configured, ...guessed];
}
