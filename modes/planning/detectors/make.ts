import { selectRoots } from '../nested.ts';
import { isInside, joinPath } from '../source-tree.ts';
import type { Detection, Detector, DraftPackage, DraftTask } from './detector.ts';
import { folderTitle, taskKey } from './detector.ts';

const makefiles = ['Makefile', 'makefile', 'GNUmakefile'];

/**
 * Makefiles (and autotools' configure) in folders where nothing else was found, C projects mostly. What make makes is bound to the
 * folder it was made in, so the test task makes it again instead of being handed the build's files.
 */
export const make: Detector = {
  ecosystem: 'make',
  manifests: [...makefiles, 'configure.ac'],

  async detect(tree, { claimed }): Promise<Detection> {
    const configured = tree
      .foldersWith('configure')
      .filter((folder) => tree.isExecutable(joinPath(folder, 'configure')));
    const found = [...new Set([...makefiles.flatMap((name) => tree.foldersWith(name)), ...configured])];
    // A Makefile above, in or below a package of another kind serves that package.
    const serves = (folder: string): boolean =>
      [...claimed].some((other) => isInside(folder, other) || isInside(other, folder));
    const roots = selectRoots(found).roots.filter((folder) => !serves(folder));

    const packages: DraftPackage[] = [];
    const tasks: DraftTask[] = [];
    const notes: string[] = [];
    for (const folder of roots) {
      const configure = configured.includes(folder);
      const file = makefiles.map((name) => joinPath(folder, name)).find((path) => tree.isFile(path));
      const text = file ? ((await tree.text(file)) ?? '') : ((await tree.text(joinPath(folder, 'Makefile.am'))) ?? '');
      const target = testTarget(text, configure);
      const build = configure ? './configure && make' : 'make';
      packages.push({
        name: folder === '.' ? 'make' : folder,
        path: folder,
        ecosystem: 'make',
        manager: 'make',
        dependsOn: [],
        buildCommand: build,
        ...(target ? { testCommand: `make ${target}` } : {}),
      });
      const common = { folder, ofPackage: true, tools: ['make'] };
      tasks.push({
        ...common,
        kind: 'build',
        title: `Build ${folderTitle(folder)} with make`,
        shell: build,
        needs: [],
      });
      if (target) {
        const shell = `${build} && make ${target}`;
        tasks.push({
          ...common,
          kind: 'test',
          title: `Test ${folderTitle(folder)} with make ${target}`,
          shell,
          needs: [taskKey('build', folder)],
        });
      } else notes.push(`The Makefile in ${folderTitle(folder)} has no target test or check: nothing is tested`);
    }
    return { packages, tasks, notes };
  },
};

function testTarget(text: string, configure: boolean): string | undefined {
  const named = ['test', 'check', 'tests'].find((name) =>
    new RegExp(`^(?:[^\\t#:=]*\\s)?${name}(?:\\s[^:=]*)?:(?!=)`, 'm').test(text),
  );
  return named ?? (configure ? 'check' : undefined);
}
