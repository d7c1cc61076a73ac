import { compare, depth, isInside } from './source-tree.ts';

/** Folders whose contents somebody else wrote. */
const vendored = new Set(['node_modules', 'vendor', 'third_party', 'third-party', 'bower_components']);

/** Folders whose manifests are examples or test data rather than parts of the project. */
const exemplary = new Set([
  'example',
  'examples',
  'sample',
  'samples',
  'demo',
  'demos',
  'fixture',
  'fixtures',
  '__fixtures__',
  'testdata',
  'test-data',
  'test_data',
  'template',
  'templates',
  'test',
  'tests',
  '__tests__',
  'spec',
  'e2e',
]);

export function isVendored(path: string): boolean {
  return path.split('/').some((part) => vendored.has(part));
}

/** Whether a folder lies in an example, in test data, in vendored code, or in a hidden or `_` folder. */
export function isExemplary(folder: string): boolean {
  if (folder === '.') return false;
  return folder
    .split('/')
    .some(
      (part) => vendored.has(part) || exemplary.has(part.toLowerCase()) || part.startsWith('.') || part.startsWith('_'),
    );
}

export interface Roots {
  roots: string[];
  /** Folders with a manifest that are examples, or lie below a root without belonging to it. */
  noted: string[];
}

/**
 * Which of the folders that have a manifest are worked on. A root is a folder that is no example and lies below no other root; below a
 * root only its declared members count (they are dealt with by the root), and everything else there is noted, not run. With
 * `independent`, manifests below a root are roots of their own (Go modules know no parents).
 */
export function selectRoots(
  folders: string[],
  options: { members?: ReadonlySet<string>; independent?: boolean } = {},
): Roots {
  const roots: string[] = [];
  const noted: string[] = [];
  for (const folder of [...folders].sort((a, b) => depth(a) - depth(b) || compare(a, b))) {
    if (options.members?.has(folder)) continue;
    const below = roots.some((root) => isInside(folder, root));
    if (isExemplary(folder) || (below && !options.independent)) noted.push(folder);
    else roots.push(folder);
  }
  return { roots, noted: noted.filter((folder) => !isVendored(folder)) };
}

/** One note for manifests that are not run; undefined when there are none. */
export function notedManifests(manifest: string, noted: string[]): string[] {
  if (noted.length === 0) return [];
  const shown = noted.slice(0, 5).join(', ');
  const more = noted.length > 5 ? ` and ${noted.length - 5} more` : '';
  return [`${manifest} in ${shown}${more} belongs to no workspace of the project: not built or tested`];
}
