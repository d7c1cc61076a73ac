import { posix } from 'node:path';
import { isSource, joinInside, sourceExtensions } from './paths.ts';
import { matchPattern, readPackages, resolvePackageImport, resolveSubpath, splitSpecifier } from './package-map.ts';
import type { WorkspacePackage } from './package-map.ts';
import { readConfigFiles } from './tsconfig.ts';
import type { ConfigFile } from './tsconfig.ts';
import type { Workspace } from './workspace.ts';

const sourcesOfOutput: Record<string, string[]> = {
  '.js': ['.ts', '.tsx'],
  '.jsx': ['.tsx'],
  '.mjs': ['.mts'],
  '.cjs': ['.cts'],
};
const declarationsOfOutput: Record<string, string> = {
  '.js': '.d.ts',
  '.jsx': '.d.ts',
  '.mjs': '.d.mts',
  '.cjs': '.d.cts',
};
const completions = [...sourceExtensions, '.json', '.d.ts', '.d.mts', '.d.cts'];

/**
 * Says which source of the workspace a module specifier means, with nothing installed and nothing built: packages of the
 * workspace lead to their sources. Packages from outside resolve to nothing.
 */
export class ModuleResolver {
  readonly packages: WorkspacePackage[];
  readonly configs: ConfigFile[];
  readonly #workspace: Workspace;
  readonly #byName: Map<string, WorkspacePackage>;
  readonly #configsByFolder = new Map<string, ConfigFile[]>();
  readonly #cache = new Map<string, string | undefined>();

  constructor(workspace: Workspace) {
    this.#workspace = workspace;
    this.packages = readPackages(workspace);
    this.configs = readConfigFiles(workspace);
    this.#byName = new Map(
      this.packages.flatMap((one) => (typeof one.manifest.name === 'string' ? [[one.manifest.name, one]] : [])),
    );
    for (const config of this.configs) {
      if (config.baseUrl === undefined && config.paths.length === 0) continue;
      const folder = posix.dirname(config.path);
      this.#configsByFolder.set(folder, [...(this.#configsByFolder.get(folder) ?? []), config]);
    }
  }

  resolve(specifier: string, from: string): string | undefined {
    const key = `${posix.dirname(from)}\0${specifier}`;
    if (!this.#cache.has(key)) this.#cache.set(key, this.#resolve(specifier, from));
    return this.#cache.get(key);
  }

  /** The package a file belongs to. */
  packageOf(file: string): WorkspacePackage | undefined {
    return this.packages.find(({ folder }) => folder === '.' || file.startsWith(`${folder}/`));
  }

  /** The package of the workspace a specifier names. */
  packageNamed(specifier: string): WorkspacePackage | undefined {
    return this.#byName.get(splitSpecifier(specifier)[0]);
  }

  /** The source of what a package is when it is imported by its name alone. */
  resolveEntry(of: WorkspacePackage): string | undefined {
    return resolveSubpath(of, '.', this.configs, this.find);
  }

  /** How a relative import of a file is written when no other import shows it. */
  assumedExtension(file: string): 'source' | 'output' | 'none' {
    if (/\.[cm]?jsx?$/.test(file)) return 'source';
    const { type } = this.packageOf(file)?.manifest ?? {};
    return type === 'module' || /\.[cm]ts$/.test(file) ? 'output' : 'none';
  }

  /** The tsconfigs whose `paths` and `baseUrl` hold for a file. */
  configsFor(file: string): ConfigFile[] {
    for (let folder = posix.dirname(file); ; folder = posix.dirname(folder)) {
      const configs = this.#configsByFolder.get(folder);
      if (configs) return configs;
      if (folder === '.') return [];
    }
  }

  /** Finds the file a path without extension, with its output's extension, or of a folder with an index stands for. */
  readonly find = (path: string): string | undefined => {
    const extension = posix.extname(path);
    const stem = path.slice(0, path.length - extension.length);
    const files = [
      ...(sourcesOfOutput[extension] ?? []).map((source) => stem + source),
      path,
      ...(declarationsOfOutput[extension] ? [stem + declarationsOfOutput[extension]] : []),
      ...completions.map((completion) => path + completion),
      ...completions.map((completion) => posix.join(path, `index${completion}`)),
    ];
    return files.find((file) => this.#workspace.has(file));
  };

  #resolve(specifier: string, from: string): string | undefined {
    if (/^\.\.?(\/|$)/.test(specifier)) {
      const path = joinInside(posix.dirname(from), specifier);
      return path === undefined ? undefined : this.#findFrom(path, specifier);
    }
    const mapped = this.#resolveMapped(specifier, from);
    if (mapped) return mapped;
    if (specifier.startsWith('#')) {
      const owner = this.packageOf(from);
      return owner && resolvePackageImport(owner, specifier, this.configs, this.find);
    }
    const named = this.packageNamed(specifier);
    return named && resolveSubpath(named, splitSpecifier(specifier)[1], this.configs, this.find);
  }

  /** A folder that is a package of its own (`require('../')`) means that package's main file. */
  #findFrom(path: string, specifier: string): string | undefined {
    const folder = path.replace(/\/$/, '');
    const inside = this.packages.find((one) => one.folder === folder);
    if (!inside || isSource(specifier)) return this.find(folder);
    return (
      this.find(folder) ??
      resolveSubpath({ ...inside, manifest: { ...inside.manifest, exports: undefined } }, '.', this.configs, this.find)
    );
  }

  #resolveMapped(specifier: string, from: string): string | undefined {
    const configs = this.configsFor(from);
    const matches = configs
      .flatMap((config) => config.paths)
      .flatMap(([pattern, targets]) => {
        const star = matchPattern(pattern, specifier);
        return star === undefined
          ? []
          : [{ length: pattern.indexOf('*') < 0 ? Infinity : pattern.indexOf('*'), targets, star }];
      })
      .sort((a, b) => b.length - a.length);
    for (const { targets, star } of matches) {
      for (const target of targets) {
        const found = this.find(posix.normalize(target.replace('*', star)));
        if (found) return found;
      }
    }
    for (const { baseUrl } of configs) {
      const found = baseUrl === undefined ? undefined : this.find(posix.join(baseUrl, specifier));
      if (found) return found;
    }
    return undefined;
  }
}
