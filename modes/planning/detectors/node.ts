import { matchesGlob, posix } from 'node:path';
import { breakCycles } from '../graph.ts';
import { notedManifests, selectRoots } from '../nested.ts';
import { isInside, joinPath } from '../source-tree.ts';
import type { SourceTree } from '../source-tree.ts';
import { parseJsonTable, stringAt, stringsAt, tableAt } from '../tables.ts';
import type { Detection, Detector, DraftPackage, DraftTask } from './detector.ts';
import { folderTitle } from './detector.ts';
import { nodeLayer } from './node-layer.ts';
import { parseYamlTable, readManager } from './node-manager.ts';
import { dependencyNames, readNodePackage } from './node-manifest.ts';
import type { NodePackage } from './node-manifest.ts';
import { testFramework, testScript } from './node-scripts.ts';
import { workspaceTasks } from './node-tasks.ts';

/** JavaScript and TypeScript by package.json: single packages and npm, pnpm and yarn workspaces. */
export const node: Detector = {
  ecosystem: 'node',
  manifests: [
    'package.json',
    'package-lock.json',
    'npm-shrinkwrap.json',
    'pnpm-lock.yaml',
    'pnpm-workspace.yaml',
    'yarn.lock',
    '.yarnrc.yml',
  ],

  async detect(tree, { env }): Promise<Detection> {
    const notes: string[] = [];
    const packs = new Map<string, NodePackage>();
    for (const folder of tree.foldersWith('package.json')) {
      const path = joinPath(folder, 'package.json');
      const manifest = parseJsonTable(await tree.text(path));
      if (!manifest) notes.push(`${path} is not valid JSON and was left out`);
      const pack = manifest && readNodePackage(folder, manifest, folder === '.' ? 'root' : posix.basename(folder));
      if (pack) packs.set(folder, pack);
    }
    const membersOf = new Map<string, string[]>();
    for (const pack of packs.values())
      membersOf.set(pack.folder, await workspaceMembers(tree, pack, [...packs.keys()]));
    const { roots, noted } = selectRoots([...packs.keys()], { members: new Set([...membersOf.values()].flat()) });
    notes.push(...notedManifests('package.json', noted));

    const packages: DraftPackage[] = [];
    const tasks: DraftTask[] = [];
    for (const folder of roots) {
      const root = packs.get(folder);
      if (!root) continue;
      const members = (membersOf.get(folder) ?? []).map((path) => packs.get(path)).filter((pack) => pack !== undefined);
      const found = await detectRoot(tree, root, members, env);
      packages.push(...found.packages);
      tasks.push(...found.tasks);
      notes.push(...found.notes);
    }
    return { packages, tasks, notes };
  },
};

async function detectRoot(
  tree: SourceTree,
  root: NodePackage,
  members: NodePackage[],
  env: Record<string, string>,
): Promise<Detection> {
  const manager = await readManager(tree, root, members);
  const layer = await nodeLayer(tree, root, members, manager, env);
  // Without anything to install there is no layer to bring pnpm or yarn: npm runs the scripts as well.
  const run = layer ? manager.run : (script: string): string => (script === 'test' ? 'npm test' : `npm run ${script}`);
  const { edges, notes } = workspaceGraph(root, members);
  const work = await workspaceTasks(tree, { root, members, edges, run, layers: layer ? [layer] : [] });
  const tasks: DraftTask[] = layer
    ? [
        {
          kind: 'install',
          folder: root.folder,
          ofPackage: false,
          title: `Install the dependencies of ${folderTitle(root.folder)} with ${manager.name}`,
          // The layer is what installs; the task's own command records what came of it.
          shell: 'npm ls --depth=0 || true',
          layers: [layer],
          env: { CI: 'true' },
          needs: [],
          tools: ['node', 'npm'],
        },
        ...work.tasks,
      ]
    : work.tasks;
  const own = (kind: 'build' | 'test', pack: NodePackage): DraftTask | undefined =>
    work.tasks.find((task) => task.kind === kind && task.folder === pack.folder);
  // The root of a workspace is a package of its own only when something is to be done in it.
  const shown = [root, ...members].filter(
    (pack) => pack !== root || members.length === 0 || work.tasks.some((task) => task.folder === pack.folder),
  );
  const packages = shown.map((pack): DraftPackage => {
    const version = stringAt(pack.manifest, 'version');
    const build = own('build', pack)?.shell;
    const test = own('test', pack)?.shell;
    const framework = test ? testFramework(pack, root) : undefined;
    return {
      name: pack.name,
      path: pack.folder,
      ecosystem: 'node',
      manager: manager.name,
      ...(version ? { version } : {}),
      dependsOn: edges.get(pack.folder) ?? [],
      ...(build ? { buildCommand: build } : {}),
      ...(test ? { testCommand: test } : {}),
      ...(framework ? { testFramework: framework } : {}),
    };
  });
  const untested = shown
    .filter((pack) => testScript(pack) === undefined)
    .map((pack) => `${pack.name} has no test script`);
  return { packages, tasks, notes: [...(layer ? manager.notes : []), ...notes, ...work.notes, ...untested] };
}

/** Folders matched by the workspace patterns of a root, the later `!pattern`s taken away. */
async function workspaceMembers(tree: SourceTree, root: NodePackage, folders: string[]): Promise<string[]> {
  const settings = parseYamlTable(await tree.text(joinPath(root.folder, 'pnpm-workspace.yaml')));
  const inManifest = [
    ...stringsAt(root.manifest, 'workspaces'),
    ...stringsAt(tableAt(root.manifest, 'workspaces'), 'packages'),
  ];
  const patterns = settings ? stringsAt(settings, 'packages') : inManifest;
  const wanted = patterns
    .filter((pattern) => !pattern.startsWith('!'))
    .map((pattern) => joinPath(root.folder, pattern));
  const unwanted = patterns
    .filter((pattern) => pattern.startsWith('!'))
    .map((pattern) => joinPath(root.folder, pattern.slice(1)));
  return folders
    .filter(
      (folder) =>
        folder !== root.folder && isInside(folder, root.folder) && !folder.split('/').includes('node_modules'),
    )
    .filter(
      (folder) =>
        wanted.some((pattern) => matchesGlob(folder, pattern)) &&
        !unwanted.some((pattern) => matchesGlob(folder, pattern)),
    )
    .sort();
}

function workspaceGraph(root: NodePackage, members: NodePackage[]): { edges: Map<string, string[]>; notes: string[] } {
  const packs = [root, ...members];
  const folderOf = new Map(packs.map((pack) => [pack.name, pack.folder]));
  const folders = (names: string[]): string[] =>
    names.map((name) => folderOf.get(name)).filter((folder) => folder !== undefined);
  const all = new Map(packs.map((pack) => [pack.folder, folders(Object.values(dependencyNames(pack)).flat())]));
  const weak = new Map(packs.map((pack) => [pack.folder, folders(dependencyNames(pack).weak)]));
  const { edges, dropped } = breakCycles(all, weak);
  const nameOf = new Map(packs.map((pack) => [pack.folder, pack.name]));
  const notes = dropped.map(
    ({ from, to }) =>
      `${nameOf.get(from)} and ${nameOf.get(to)} depend on each other: ${nameOf.get(from)} is built without waiting for ${nameOf.get(to)}`,
  );
  return { edges, notes };
}
