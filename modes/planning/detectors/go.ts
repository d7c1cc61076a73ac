import { posix } from 'node:path';
import { notedManifests, selectRoots } from '../nested.ts';
import { breakCycles } from '../graph.ts';
import { isInside, joinPath } from '../source-tree.ts';
import type { SourceTree } from '../source-tree.ts';
import type { Detection, Detector, DraftPackage, DraftTask } from './detector.ts';
import { folderTitle, taskKey } from './detector.ts';

const build = 'go build -o /dev/null ./...';
const test = 'go test -json ./...';

/** Go modules, those of a go.work among them. Each module is built and tested by itself; the node's module and build caches serve all. */
export const go: Detector = {
  ecosystem: 'go',
  manifests: ['go.mod', 'go.work'],

  async detect(tree): Promise<Detection> {
    const members = await workspaceMembers(tree);
    const { roots, noted } = selectRoots(tree.foldersWith('go.mod'), { members, independent: true });
    const folders = [...roots, ...[...members].filter((folder) => tree.isFile(joinPath(folder, 'go.mod')))];
    const modules = new Map<string, GoModule>();
    for (const folder of folders) modules.set(folder, readModule((await tree.text(joinPath(folder, 'go.mod'))) ?? ''));

    const wanted = new Map<string, string[]>();
    for (const [folder, module] of modules) {
      const needed = [...modules].filter(([other, { path }]) => other !== folder && module.requires.has(path));
      wanted.set(
        folder,
        needed.map(([other]) => other),
      );
    }
    const { edges } = breakCycles(wanted);

    const packages: DraftPackage[] = [];
    const tasks: DraftTask[] = [];
    const notes = notedManifests('go.mod', noted);
    for (const [folder, module] of modules) {
      const { hasCode, hasTests } = goFiles(tree, folder, folders);
      const dependsOn = edges.get(folder) ?? [];
      packages.push({
        name: module.path || posix.basename(folder),
        path: folder,
        ecosystem: 'go',
        manager: 'go',
        dependsOn,
        ...(hasCode ? { buildCommand: build } : {}),
        ...(hasTests ? { testCommand: test, testFramework: 'go test' } : {}),
      });
      const common = { folder, ofPackage: true, tools: ['go'] };
      const needs = dependsOn.map((other) => taskKey('build', other));
      if (hasCode)
        tasks.push({ ...common, kind: 'build', title: `Build ${folderTitle(folder)} with Go`, shell: build, needs });
      if (hasTests) {
        const own = taskKey('build', folder);
        tasks.push({
          ...common,
          kind: 'test',
          title: `Test ${folderTitle(folder)} with Go`,
          shell: test,
          needs: [...needs, own],
        });
      } else notes.push(`${module.path || folder} (Go) has no tests`);
    }
    return { packages, tasks, notes };
  },
};

interface GoModule {
  path: string;
  requires: Set<string>;
}

function readModule(text: string): GoModule {
  const lines = text.split('\n').map((line) => line.replace(/\/\/.*$/, '').trim());
  const path =
    lines.map((line) => /^module\s+"?([^\s"]+)"?$/.exec(line)?.[1]).find((found) => found !== undefined) ?? '';
  const requires = new Set<string>();
  let inRequire = false;
  for (const line of lines) {
    if (/^require\s*\($/.test(line)) inRequire = true;
    else if (line === ')') inRequire = false;
    else {
      const match = inRequire ? /^(\S+)\s+v/.exec(line) : /^require\s+(\S+)\s+v/.exec(line);
      if (match?.[1]) requires.add(match[1]);
    }
  }
  return { path, requires };
}

/** Folders named by `use` in any go.work. */
async function workspaceMembers(tree: SourceTree): Promise<Set<string>> {
  const members = new Set<string>();
  for (const folder of tree.foldersWith('go.work')) {
    const text = ((await tree.text(joinPath(folder, 'go.work'))) ?? '').replace(/\/\/.*$/gm, '');
    const block = [...text.matchAll(/^use\s*\(([^)]*)\)/gm)].flatMap((match) => match[1]?.split('\n') ?? []);
    const single = [...text.matchAll(/^use\s+([^\s(]+)/gm)].map((match) => match[1] ?? '');
    for (const used of [...block, ...single]) {
      const path = used.trim().replace(/^"|"$/g, '');
      if (path) members.add(joinPath(folder, path));
    }
  }
  return members;
}

/** Folders that `./...` leaves out: testdata, vendor, and those that start with a dot or an underscore. */
function goFiles(tree: SourceTree, folder: string, modules: string[]): { hasCode: boolean; hasTests: boolean } {
  const inner = modules.filter((other) => other !== folder && isInside(other, folder));
  const files = tree
    .entriesBelow(folder)
    .map((entry) => entry.path)
    .filter((path) => path.endsWith('.go') && !inner.some((other) => isInside(path, other)))
    .filter((path) => !/(^|\/)(testdata|vendor|[._][^/]*)\//.test(path.slice(folder === '.' ? 0 : folder.length + 1)));
  return {
    hasCode: files.some((path) => !path.endsWith('_test.go')),
    hasTests: files.some((path) => path.endsWith('_test.go')),
  };
}
