import { posix } from 'node:path';
import { ts } from 'ts-morph';
import { joinInside } from './paths.ts';

/** Files to read configurations from. */
interface TextFiles {
  readonly paths: string[];
  has(path: string): boolean;
  read(path: string): string | undefined;
}

/** What a tsconfig says about where modules and their output are; folders are workspace-relative. */
export interface ConfigFile {
  path: string;
  baseUrl?: string;
  /** Patterns to targets as paths (with `*`) below the workspace, in the order of the file. */
  paths: [pattern: string, targets: string[]][];
  outDirs: string[];
  rootDir?: string;
}

interface RawConfig {
  extends?: string | string[];
  compilerOptions?: {
    baseUrl?: string;
    paths?: Record<string, string[]>;
    outDir?: string;
    declarationDir?: string;
    rootDir?: string;
  };
}

const configName = /^(tsconfig|jsconfig)(\..+)?\.json$/;

export function isConfigFile(path: string): boolean {
  return configName.test(posix.basename(path));
}

/** Every tsconfig and jsconfig of the workspace, `tsconfig.json` before its siblings. */
export function readConfigFiles(files: TextFiles): ConfigFile[] {
  return files.paths
    .filter(isConfigFile)
    .map((path) => readConfig(files, path, path, new Set()))
    .sort((a, b) => posix.basename(a.path).length - posix.basename(b.path).length);
}

/** Folders that compilers write to. A project compiled in place has none. */
export function outputFolders(files: TextFiles): string[] {
  const folders = readConfigFiles(files).flatMap(({ path, outDirs, rootDir }) =>
    outDirs.filter((folder) => {
      const holdsSources = [posix.dirname(path), rootDir ?? '.'].some(
        (root) => root === folder || root.startsWith(`${folder}/`),
      );
      return folder !== '.' && !holdsSources;
    }),
  );
  return [...new Set(folders)];
}

/** `owner` is the config whose folder `${configDir}` means; options of `extends` are relative to the file they are written in. */
function readConfig(files: TextFiles, path: string, owner: string, seen: Set<string>): ConfigFile {
  seen.add(path);
  const raw = (ts.parseConfigFileTextToJson(path, files.read(path) ?? '{}').config ?? {}) as RawConfig;
  const config: ConfigFile = { path: owner, paths: [], outDirs: [] };
  for (const base of [raw.extends ?? []].flat()) {
    const inherited = baseConfigPath(files, path, base);
    if (inherited === undefined || seen.has(inherited)) continue;
    Object.assign(config, readConfig(files, inherited, owner, seen), { path: owner });
  }
  const options = raw.compilerOptions ?? {};
  const locate = (text: string) =>
    text.startsWith('${configDir}')
      ? joinInside(posix.dirname(owner), text.slice('${configDir}'.length).replace(/^\//, ''))
      : joinInside(posix.dirname(path), text);
  if (typeof options.baseUrl === 'string') config.baseUrl = locate(options.baseUrl) ?? config.baseUrl;
  if (typeof options.rootDir === 'string') config.rootDir = locate(options.rootDir) ?? config.rootDir;
  const outDirs = [options.outDir, options.declarationDir].flatMap((folder) =>
    typeof folder === 'string' ? (locate(folder) ?? []) : [],
  );
  if (outDirs.length > 0) config.outDirs = outDirs.map((folder) => folder.replace(/\/$/, ''));
  if (options.paths) {
    const base = config.baseUrl;
    const target = (text: string) => (base === undefined ? locate(text) : joinInside(base, text));
    config.paths = Object.entries(options.paths).map(([pattern, targets]) => [
      pattern,
      targets.flatMap((text) => target(text) ?? []),
    ]);
  }
  return config;
}

function baseConfigPath(files: TextFiles, from: string, base: string): string | undefined {
  if (typeof base !== 'string' || !base.startsWith('.')) return undefined;
  const path = joinInside(posix.dirname(from), base);
  return [path, `${path}.json`, `${path}/tsconfig.json`].find(
    (candidate) => candidate !== undefined && files.has(candidate),
  );
}
