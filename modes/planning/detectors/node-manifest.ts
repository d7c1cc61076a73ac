import { stringAt, tableAt } from '../tables.ts';
import type { Table } from '../tables.ts';

/** A package.json at a folder. */
export interface NodePackage {
  folder: string;
  name: string;
  manifest: Table;
  scripts: Record<string, string>;
}

/** Undefined for a package.json that only sets the module type of its folder. */
export function readNodePackage(folder: string, manifest: Table, fallbackName: string): NodePackage | undefined {
  const real = ['name', 'scripts', 'dependencies', 'devDependencies', 'workspaces'].some(
    (key) => manifest[key] !== undefined,
  );
  if (!real) return undefined;
  return {
    folder,
    name: stringAt(manifest, 'name') || fallbackName,
    manifest,
    scripts: stringTable(manifest, 'scripts'),
  };
}

export function stringTable(manifest: Table, key: string): Record<string, string> {
  const entries = Object.entries(tableAt(manifest, key) ?? {});
  return Object.fromEntries(entries.filter((entry): entry is [string, string] => typeof entry[1] === 'string'));
}

/** Names a package depends on; development dependencies may form cycles and are told apart. */
export function dependencyNames(pack: NodePackage): { strong: string[]; weak: string[] } {
  const names = (...keys: string[]): string[] => keys.flatMap((key) => Object.keys(tableAt(pack.manifest, key) ?? {}));
  const strong = names('dependencies', 'optionalDependencies', 'peerDependencies');
  return { strong, weak: names('devDependencies').filter((name) => !strong.includes(name)) };
}

export function hasDependency(pack: NodePackage, name: string): boolean {
  const { strong, weak } = dependencyNames(pack);
  return strong.includes(name) || weak.includes(name);
}
