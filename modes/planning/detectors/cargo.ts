import { matchesGlob, posix } from 'node:path';
import { notedManifests, selectRoots } from '../nested.ts';
import { breakCycles } from '../graph.ts';
import { isInside, joinPath } from '../source-tree.ts';
import type { SourceTree } from '../source-tree.ts';
import { isTable, parseToml, stringAt, stringsAt, tableAt } from '../tables.ts';
import type { Table } from '../tables.ts';
import type { Detection, Detector, DraftPackage, DraftTask } from './detector.ts';
import { folderTitle, taskKey } from './detector.ts';

/**
 * Cargo workspaces and single crates. A workspace is one build and one test, since its members share a lock file and a target folder
 * that no other step can reuse.
 */
export const cargo: Detector = {
  ecosystem: 'cargo',
  manifests: ['Cargo.toml'],

  async detect(tree): Promise<Detection> {
    const manifests = new Map<string, Table>();
    const notes: string[] = [];
    for (const folder of tree.foldersWith('Cargo.toml')) {
      const manifest = parseToml((await tree.text(joinPath(folder, 'Cargo.toml'))) ?? '');
      if (manifest) manifests.set(folder, manifest);
      else notes.push(`${joinPath(folder, 'Cargo.toml')} is not valid TOML and was left out`);
    }
    const membersOf = new Map(
      [...manifests].map(([folder, manifest]) => [folder, workspaceMembers(folder, manifest, manifests)]),
    );
    const { roots, noted } = selectRoots([...manifests.keys()], { members: new Set([...membersOf.values()].flat()) });
    notes.push(...notedManifests('Cargo.toml', noted));

    const packages: DraftPackage[] = [];
    const tasks: DraftTask[] = [];
    for (const root of roots) {
      const manifest = manifests.get(root);
      if (!manifest) continue;
      const members = [root, ...(membersOf.get(root) ?? [])].filter((folder) =>
        tableAt(manifests.get(folder), 'package'),
      );
      packages.push(...cratePackages(members, manifests));
      if (members.length > 0) tasks.push(...workspaceTasks(tree, root, manifest, members.length > 1));
    }
    return { packages, tasks, notes };
  },
};

function workspaceTasks(tree: SourceTree, root: string, manifest: Table, several: boolean): DraftTask[] {
  const flags = `${tableAt(manifest, 'workspace') ? ' --workspace' : ''}${tree.isFile(joinPath(root, 'Cargo.lock')) ? ' --locked' : ''}`;
  const what = several ? `the workspace in ${folderTitle(root)}` : folderTitle(root);
  const common = { folder: root, ofPackage: tableAt(manifest, 'package') !== undefined, tools: ['cargo'] };
  return [
    { ...common, kind: 'build', title: `Build ${what} with Cargo`, shell: `cargo build${flags}`, needs: [] },
    // --no-fail-fast: a failing test binary would otherwise keep the others from being counted.
    {
      ...common,
      kind: 'test',
      title: `Test ${what} with Cargo`,
      shell: `cargo test${flags} --no-fail-fast`,
      needs: [taskKey('build', root)],
    },
  ];
}

function cratePackages(members: string[], manifests: ReadonlyMap<string, Table>): DraftPackage[] {
  const wanted = new Map(
    members.map((folder) => [
      folder,
      pathDependencies(folder, manifests.get(folder)).filter((path) => members.includes(path)),
    ]),
  );
  const { edges } = breakCycles(wanted);
  return members.map((folder) => {
    const info = tableAt(manifests.get(folder), 'package');
    const version = stringAt(info, 'version');
    return {
      name: stringAt(info, 'name') ?? posix.basename(folder),
      path: folder,
      ecosystem: 'cargo',
      manager: 'cargo',
      ...(version ? { version } : {}),
      dependsOn: edges.get(folder) ?? [],
      buildCommand: 'cargo build',
      testCommand: 'cargo test',
      testFramework: 'cargo test',
    };
  });
}

/** Members by the globs of [workspace], and the path dependencies below the root, which Cargo takes in by itself. */
function workspaceMembers(root: string, manifest: Table, manifests: ReadonlyMap<string, Table>): string[] {
  const workspace = tableAt(manifest, 'workspace');
  if (!workspace) return [];
  const patterns = stringsAt(workspace, 'members').map((pattern) => joinPath(root, pattern));
  const excluded = stringsAt(workspace, 'exclude').map((folder) => joinPath(root, folder));
  const allowed = (folder: string): boolean =>
    folder !== root && manifests.has(folder) && !excluded.some((other) => isInside(folder, other));
  const members = new Set(
    [...manifests.keys()].filter(
      (folder) => allowed(folder) && patterns.some((pattern) => matchesGlob(folder, pattern)),
    ),
  );
  const queue = [root, ...members];
  for (let at = queue.shift(); at !== undefined; at = queue.shift()) {
    for (const path of pathDependencies(at, manifests.get(at))) {
      if (members.has(path) || !allowed(path) || !isInside(path, root)) continue;
      members.add(path);
      queue.push(path);
    }
  }
  return [...members].sort();
}

function pathDependencies(folder: string, manifest: Table | undefined): string[] {
  const tables = ['dependencies', 'dev-dependencies', 'build-dependencies'].map((name) => tableAt(manifest, name));
  return tables.flatMap((table) =>
    Object.values(table ?? {})
      .map((value) => (isTable(value) ? stringAt(value, 'path') : undefined))
      .filter((path) => path !== undefined)
      .map((path) => joinPath(folder, path)),
  );
}
