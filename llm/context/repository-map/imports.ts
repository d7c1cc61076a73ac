import { posix } from 'node:path';
import type { SourceFile } from './source-files.ts';

/** Finds the files of the repository that an import means; imports of packages from elsewhere mean none. */
export class ImportResolver {
  private readonly byPath: ReadonlyMap<string, number>;
  private readonly byName = new Map<string, number[]>();
  private readonly files: readonly SourceFile[];

  constructor(files: readonly SourceFile[]) {
    this.files = files;
    this.byPath = new Map(files.map(({ path }, index) => [path, index]));
    for (const [index, { path }] of files.entries()) {
      const name = posix.basename(path);
      const same = this.byName.get(name);
      if (same) same.push(index);
      else this.byName.set(name, [index]);
    }
  }

  /** Index of the file; undefined when it is none of these. */
  resolve(from: SourceFile, specifier: string): number | undefined {
    const folder = posix.dirname(from.path);
    switch (from.language) {
      case 'typescript':
      case 'tsx':
      case 'javascript':
        return specifier.startsWith('.') ? this.ecmaScript(posix.join(folder, specifier)) : undefined;
      case 'python':
        return this.python(folder, specifier);
      case 'cpp':
        return this.exact([posix.join(folder, specifier)]) ?? this.ending(specifier);
      case 'java':
        return (
          this.ending(`${specifier.replaceAll('.', '/')}.java`) ??
          this.ending(`${posix.dirname(specifier.replaceAll('.', '/'))}.java`)
        );
      case 'rust': {
        const stem = posix.basename(from.path, '.rs');
        const below = stem === 'mod' || stem === 'lib' || stem === 'main' ? folder : posix.join(folder, stem);
        return this.exact([posix.join(below, `${specifier}.rs`), posix.join(below, specifier, 'mod.rs')]);
      }
      case 'ruby':
        return this.exact([posix.join(folder, `${specifier}.rb`)]);
      case undefined:
      default:
        return undefined;
    }
  }

  /** An import without extension, with that of the compiled file, or of a folder. */
  private ecmaScript(path: string): number | undefined {
    const compiled = path.replace(/\.[mc]?jsx?$/, '');
    for (const stem of compiled === path ? [path, `${path}/index`] : [path, compiled]) {
      for (const ending of ecmaScriptEndings) {
        const found = this.byPath.get(stem + ending);
        if (found !== undefined) return found;
      }
    }
    return undefined;
  }

  private python(folder: string, specifier: string): number | undefined {
    const dots = /^\.*/.exec(specifier)![0].length;
    const path = specifier.slice(dots).replaceAll('.', '/');
    const tries = path === '' ? ['__init__.py'] : [`${path}.py`, `${path}/__init__.py`];
    if (dots === 0) return tries.map((one) => this.ending(one)).find((found) => found !== undefined);
    return this.exact(tries.map((one) => posix.join(folder, '../'.repeat(dots - 1), one)));
  }

  private exact(paths: string[]): number | undefined {
    return paths.map((path) => this.byPath.get(path)).find((found) => found !== undefined);
  }

  /** The file whose path ends like this; of several the one nearest to the root, the first by name. */
  private ending(path: string): number | undefined {
    const clean = posix.normalize(path).replace(/^(\.\.\/)+/, '');
    const found = (this.byName.get(posix.basename(clean)) ?? []).filter(
      (index) => this.files[index]!.path === clean || this.files[index]!.path.endsWith(`/${clean}`),
    );
    return found.sort((a, b) => this.files[a]!.path.length - this.files[b]!.path.length || a - b)[0];
  }
}

const ecmaScriptEndings = ['', '.ts', '.tsx', '.js', '.mjs', '.cjs', '.jsx', '.mts', '.cts', '.d.ts'];
