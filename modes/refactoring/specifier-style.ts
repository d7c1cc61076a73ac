import { posix } from 'node:path';
import { notApplicable } from './change.ts';
import type { ModuleResolver } from './module-resolver.ts';
import { matchPattern, splitSpecifier, subpathPatterns } from './package-map.ts';
import { isDeclarationFile, isIndex, isSource, outputExtension, relativeSpecifier, stemOf } from './paths.ts';

/** How a specifier is written: its extension (none, that of the source, or that of the output) and whether `/index` is left out. */
interface Style {
  extension: 'none' | 'source' | 'output';
  omitsIndex: boolean;
}

/** A specifier, the file it is in, and the file it means. */
export interface Use {
  specifier: string;
  from: string;
  target: string;
}

/** The style of a specifier that means `target`. */
function styleOf({ specifier, target }: Pick<Use, 'specifier' | 'target'>): Style {
  const written = posix.extname(specifier);
  const extension = !isSource(specifier) ? 'none' : written === posix.extname(target) ? 'source' : 'output';
  const omitsIndex = isIndex(target) && posix.basename(stemOf(specifier)) !== 'index';
  return { extension, omitsIndex };
}

function write(path: string, { extension, omitsIndex }: Style): string {
  if (!isSource(path)) return path;
  const stem = stemOf(path);
  if (extension === 'source' && !isDeclarationFile(path)) return path;
  if (extension === 'none') {
    if (omitsIndex && isIndex(path)) return posix.dirname(stem);
    // Without an extension only these are looked for.
    if (!/\.[cm][jt]s$/.test(path)) return stem;
  }
  return stem + (isDeclarationFile(path) ? '.js' : outputExtension(path));
}

/**
 * The specifier for `target` as seen from `from`, in the style of a specifier of that file: relative, by an alias of its
 * tsconfig, or by a package's name. `resolver` knows the workspace as it will be. Throws a HelixError when a package does not
 * export the target.
 */
export function specifierLike(old: Use, from: string, target: string, resolver: ModuleResolver): string {
  const style = styleOf(old);
  // An index is left out where the way of writing without extensions allows it.
  const free: Style = {
    ...style,
    omitsIndex: style.extension === 'none' && (style.omitsIndex || !isIndex(old.target)),
  };
  if (old.specifier.startsWith('.')) return relativeLike(from, target, free);
  return (
    aliased(old, from, target, free, resolver) ??
    byPackageName(old, from, target, free, resolver) ??
    withinPackage(from, target, free, resolver) ??
    refuse(old, from, target)
  );
}

/** A relative specifier in the way most of the given uses are written; with extensions as `fallback` says when there are none. */
export function relativeInStyleOf(uses: Use[], from: string, target: string, fallback: Style['extension']): string {
  const relative = uses.filter(({ specifier, target: used }) => specifier.startsWith('.') && isSource(used));
  const counted = (extension: Style['extension']) =>
    relative.filter((use) => styleOf(use).extension === extension).length;
  const order = (['none', 'output', 'source'] as const).toSorted((a, b) => counted(b) - counted(a));
  const extension = relative.length > 0 ? order[0]! : fallback;
  return relativeLike(from, target, { extension, omitsIndex: extension === 'none' });
}

function relativeLike(from: string, target: string, style: Style): string {
  const written = relativeSpecifier(from, write(target, style));
  // `..` and `.` mean a folder's index only where the index may be left out; `./..` is how relative() never writes it.
  return written === '' ? '.' : written;
}

function aliased(old: Use, from: string, target: string, style: Style, resolver: ModuleResolver): string | undefined {
  const written = write(target, style);
  for (const { paths, baseUrl } of resolver.configsFor(from)) {
    const byUse = paths.toSorted(
      ([a], [b]) =>
        Number(matchPattern(b, old.specifier) !== undefined) - Number(matchPattern(a, old.specifier) !== undefined),
    );
    for (const [pattern, targets] of byUse) {
      for (const place of targets) {
        const star = matchPattern(posix.normalize(place), place.includes('*') ? written : target);
        const specifier =
          star === undefined || !pattern.includes('*')
            ? star === undefined
              ? undefined
              : pattern
            : pattern.replace('*', star);
        if (specifier !== undefined && resolver.resolve(specifier, from) === target) return specifier;
      }
    }
    if (baseUrl === undefined) continue;
    const specifier = posix.relative(baseUrl, written);
    if (!specifier.startsWith('.') && resolver.resolve(specifier, from) === target) return specifier;
  }
  return undefined;
}

function byPackageName(
  old: Use,
  from: string,
  target: string,
  style: Style,
  resolver: ModuleResolver,
): string | undefined {
  const one = resolver.packageNamed(old.specifier);
  if (!one || resolver.packageOf(target) !== one) return undefined;
  const [name, subpath] = splitSpecifier(old.specifier);
  const below = posix.relative(one.folder, write(target, style));
  const patterns = subpathPatterns(one);
  const candidates = [
    old.specifier,
    ...patterns
      .flatMap((pattern) =>
        starsFor(pattern, subpath, old.target, target, one.folder).map((star) => pattern.replace('*', star)),
      )
      .map((path) => posix.join(name, path)),
    posix.join(name, below),
  ];
  return candidates.find((specifier) => resolver.resolve(specifier, from) === target);
}

/** What `*` of a package's subpath may stand for so that the target is meant: the tails of its path, as the old use was cut. */
function starsFor(pattern: string, subpath: string, oldTarget: string, target: string, folder: string): string[] {
  const star = matchPattern(pattern, subpath);
  const stem = stemOf(posix.relative(folder, target)).split('/');
  const cut =
    star === undefined
      ? undefined
      : stemOf(posix.relative(folder, oldTarget)).split('/').length - star.split('/').length;
  const depths = cut === undefined ? stem.map((_, depth) => depth) : [cut];
  return depths.map((depth) => stem.slice(depth).join('/')).filter((tail) => tail !== '');
}

function withinPackage(from: string, target: string, style: Style, resolver: ModuleResolver): string | undefined {
  return resolver.packageOf(from) === resolver.packageOf(target) ? relativeLike(from, target, style) : undefined;
}

function refuse(old: Use, from: string, target: string): never {
  throw notApplicable(
    `${from} imports ${old.target} as "${old.specifier}", and no name its package exports leads to ${target}: export the new place in package.json first.`,
  );
}
