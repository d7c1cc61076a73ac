import { posix } from 'node:path';
import { notedManifests, selectRoots } from '../nested.ts';
import { joinPath } from '../source-tree.ts';
import type { SourceTree } from '../source-tree.ts';
import type { Detection, Detector, DraftPackage, DraftTask } from './detector.ts';
import { folderTitle, taskKey } from './detector.ts';

const scripts = ['build.gradle', 'build.gradle.kts'];
const settings = ['settings.gradle', 'settings.gradle.kts'];

/** Gradle builds: one build and one test per settings file; the wrapper is used where there is one. */
export const gradle: Detector = {
  ecosystem: 'gradle',
  manifests: [...scripts, ...settings],

  async detect(tree): Promise<Detection> {
    const folders = [...new Set([...scripts, ...settings].flatMap((name) => tree.foldersWith(name)))];
    const membersOf = new Map<string, string[]>();
    for (const folder of folders) membersOf.set(folder, await includedProjects(tree, folder));
    const { roots, noted } = selectRoots(folders, { members: new Set([...membersOf.values()].flat()) });
    const packages: DraftPackage[] = [];
    const tasks: DraftTask[] = [];
    const notes = notedManifests('build.gradle', noted);
    for (const root of roots) {
      const wrapper = tree.isFile(joinPath(root, 'gradlew'));
      const gradlew = wrapper
        ? tree.isExecutable(joinPath(root, 'gradlew'))
          ? './gradlew'
          : 'sh ./gradlew'
        : 'gradle';
      const projects = [root, ...(membersOf.get(root) ?? [])];
      const tested = projects.filter((folder) => tree.isFolder(joinPath(folder, 'src/test')));
      const built = projects.filter(
        (folder) => folder === root || scripts.some((name) => tree.isFile(joinPath(folder, name))),
      );
      for (const folder of built) packages.push(await draft(tree, folder, root));
      const common = { folder: root, ofPackage: true, tools: wrapper ? ['java'] : ['gradle', 'java'] };
      const title =
        projects.length > 1 ? `${folderTitle(root)} and its ${projects.length - 1} projects` : folderTitle(root);
      // --no-daemon: a daemon would outlive the step and be ended with it.
      const jars = projects.map((folder) => joinPath(folder, 'build/libs'));
      tasks.push({
        ...common,
        kind: 'build',
        title: `Build ${title} with Gradle`,
        shell: `${gradlew} --no-daemon assemble`,
        needs: [],
        outputs: jars,
      });
      if (tested.length > 0) {
        tasks.push({
          ...common,
          kind: 'test',
          title: `Test ${title} with Gradle`,
          shell: `${gradlew} --no-daemon test --continue`,
          needs: [taskKey('build', root)],
          outputs: tested.map((folder) => joinPath(folder, 'build/test-results/test')),
        });
      } else notes.push(`${folderTitle(root)} (Gradle) has no tests`);
    }
    return { packages, tasks, notes };
  },
};

async function draft(tree: SourceTree, folder: string, root: string): Promise<DraftPackage> {
  const text = await firstText(tree, folder === root ? settings : [], folder);
  const named = /rootProject\.name\s*=\s*['"]([^'"]+)['"]/.exec(text)?.[1];
  return {
    name: named ?? (folder === '.' ? 'gradle' : posix.basename(folder)),
    path: folder,
    ecosystem: 'gradle',
    manager: 'gradle',
    dependsOn: await projectDependencies(tree, folder, root),
    buildCommand: 'gradle assemble',
    ...(tree.isFolder(joinPath(folder, 'src/test')) ? { testCommand: 'gradle test', testFramework: 'gradle' } : {}),
  };
}

/** Folders of `include(':a:b', 'c')` in the settings. */
async function includedProjects(tree: SourceTree, folder: string): Promise<string[]> {
  const text = await firstText(tree, settings, folder);
  const calls = [...text.matchAll(/^\s*include\b\s*\(?([^)\n]*(?:,\s*\n[^)\n]*)*)/gm)].map((match) => match[1] ?? '');
  const names = calls.flatMap((call) => [...call.matchAll(/['"]([^'"]+)['"]/g)].map((match) => match[1] ?? ''));
  return [...new Set(names.map((name) => joinPath(folder, name.replace(/^:/, '').replaceAll(':', '/'))))].sort();
}

async function projectDependencies(tree: SourceTree, folder: string, root: string): Promise<string[]> {
  const text = await firstText(tree, scripts, folder);
  const names = [...text.matchAll(/project\(\s*(?:path:\s*)?['"]:?([^'"]+)['"]\s*\)/g)].map((match) => match[1] ?? '');
  const folders = names.map((name) => joinPath(root, name.replaceAll(':', '/')));
  return [...new Set(folders)].filter((other) => other !== folder).sort();
}

async function firstText(tree: SourceTree, names: string[], folder: string): Promise<string> {
  for (const name of names) {
    const text = await tree.text(joinPath(folder, name));
    if (text !== undefined) return text.replace(/\/\/.*$/gm, '');
  }
  return '';
}
