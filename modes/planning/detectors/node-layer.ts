import type { Layer } from '../../../contracts/step.ts';
import { makeLayer } from '../layer.ts';
import { joinPath } from '../source-tree.ts';
import type { SourceTree } from '../source-tree.ts';
import { tableAt } from '../tables.ts';
import type { NodeManager } from './node-manager.ts';
import type { NodePackage } from './node-manifest.ts';

/** The fields of a package.json that an installation reads. A new version or a new script makes no new layer. */
const installFields = [
  'name',
  'dependencies',
  'devDependencies',
  'optionalDependencies',
  'peerDependencies',
  'peerDependenciesMeta',
  'bundleDependencies',
  'overrides',
  'resolutions',
  'workspaces',
  'pnpm',
  'packageManager',
  'bin',
  'allowScripts',
  'dependenciesMeta',
] as const;

/** The node_modules of a root and of its workspaces; undefined when there is nothing to install. */
export async function nodeLayer(
  tree: SourceTree,
  root: NodePackage,
  members: NodePackage[],
  manager: NodeManager,
  userEnv: Record<string, string>,
): Promise<Layer | undefined> {
  const packs = [root, ...members];
  const needed =
    members.length > 0 ||
    packs.some((pack) => dependencyFields.some((key) => Object.keys(tableAt(pack.manifest, key) ?? {}).length > 0));
  if (!needed) return undefined;
  const keyParts = new Map<string, string>();
  for (const pack of packs) {
    const fields = Object.fromEntries(installFields.map((key) => [key, pack.manifest[key]]));
    keyParts.set(
      joinPath(pack.folder, 'package.json'),
      JSON.stringify({ ...fields, postinstall: pack.scripts['postinstall'] }),
    );
  }
  const read = [...manager.lockFiles, joinPath(root.folder, '.npmrc'), ...installInputs(tree, root, packs)];
  for (const path of read) {
    const text = await tree.text(path);
    if (text !== undefined) keyParts.set(path, text);
  }
  return makeLayer({
    name: joinPath(root.folder, 'node_modules'),
    install: { shell: manager.install, cwd: root.folder },
    paths: [
      ...packs.map((pack) => joinPath(pack.folder, 'node_modules')),
      ...manager.extraPaths.map((path) => joinPath(root.folder, path)),
    ],
    env: { CI: 'true', ...manager.env },
    userEnv,
    keyParts,
  });
}

const dependencyFields = ['dependencies', 'devDependencies', 'optionalDependencies', 'peerDependencies'];

/** Sources that an installation reads: patches, files that a postinstall script names, and local packages given as `file:`. */
function installInputs(tree: SourceTree, root: NodePackage, packs: NodePackage[]): string[] {
  const patches = ['patches', '.yarn/patches'].map((folder) => joinPath(root.folder, folder));
  const named = (root.scripts['postinstall'] ?? '')
    .split(/\s+/)
    .filter((word) => /[./]/.test(word))
    .map((word) => joinPath(root.folder, word));
  const local = packs.flatMap((pack) =>
    dependencyFields
      .flatMap((key) => Object.values(tableAt(pack.manifest, key) ?? {}))
      .filter((spec): spec is string => typeof spec === 'string' && spec.startsWith('file:'))
      .map((spec) => joinPath(pack.folder, spec.slice('file:'.length))),
  );
  return [
    ...patches.flatMap((folder) => (tree.isFolder(folder) ? tree.entriesBelow(folder).map((entry) => entry.path) : [])),
    ...[...named, ...local].filter((path) => tree.isFile(path)),
    ...local.map((path) => joinPath(path, 'package.json')),
  ];
}
