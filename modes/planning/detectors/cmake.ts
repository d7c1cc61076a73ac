import { posix } from 'node:path';
import { selectRoots } from '../nested.ts';
import { isInside, joinPath } from '../source-tree.ts';
import type { Detection, Detector, DraftPackage, DraftTask } from './detector.ts';
import { folderTitle, taskKey } from './detector.ts';

const junit = 'ctest-junit.xml';

/**
 * CMake projects. A build folder holds absolute paths and cannot be handed from machine to machine: the test task configures and builds
 * for itself, which is quick where the same slot did it before.
 */
export const cmake: Detector = {
  ecosystem: 'cmake',
  manifests: ['CMakeLists.txt'],

  async detect(tree, { claimed }): Promise<Detection> {
    const { roots } = selectRoots(tree.foldersWith('CMakeLists.txt'));
    const packages: DraftPackage[] = [];
    const tasks: DraftTask[] = [];
    const notes: string[] = [];
    for (const folder of roots.filter((root) => ![...claimed].some((other) => isInside(root, other)))) {
      const text = (await tree.text(joinPath(folder, 'CMakeLists.txt'))) ?? '';
      // A CMakeLists.txt without a project is a fragment of something else.
      if (!/^\s*project\s*\(/im.test(text)) continue;
      const texts = await Promise.all(
        tree
          .entriesBelow(folder)
          .map((entry) => entry.path)
          .filter((path) => posix.basename(path) === 'CMakeLists.txt')
          .map((path) => tree.text(path)),
      );
      const tested =
        texts.some((each) =>
          /^\s*(add_test|gtest_discover_tests|gtest_add_tests|catch_discover_tests|doctest_discover_tests)\s*\(/im.test(
            each ?? '',
          ),
        ) && texts.some((each) => /^\s*(enable_testing\s*\(|include\s*\(\s*CTest\b)/im.test(each ?? ''));
      const name = /^\s*project\s*\(\s*"?([A-Za-z0-9_.+-]+)/im.exec(text)?.[1];
      const target = tree.isFolder(joinPath(folder, 'build')) ? '.helix-build' : 'build';
      const build = `cmake -S . -B ${target} && cmake --build ${target}`;
      const test = `ctest --test-dir ${target} --output-on-failure --no-tests=error --output-junit "$PWD/${junit}"`;
      packages.push({
        name: name ?? posix.basename(folder),
        path: folder,
        ecosystem: 'cmake',
        manager: 'cmake',
        dependsOn: [],
        buildCommand: build,
        ...(tested ? { testCommand: `ctest --test-dir ${target}`, testFramework: 'ctest' } : {}),
      });
      const common = { folder, ofPackage: true, tools: ['cmake'] };
      tasks.push({
        ...common,
        kind: 'build',
        title: `Build ${folderTitle(folder)} with CMake`,
        shell: build,
        needs: [],
      });
      if (tested) {
        tasks.push({
          ...common,
          kind: 'test',
          title: `Test ${folderTitle(folder)} with CTest`,
          shell: `${build} && ${test}`,
          needs: [taskKey('build', folder)],
          outputs: [joinPath(folder, junit)],
        });
      } else notes.push(`${name ?? folderTitle(folder)} (CMake) declares no tests`);
    }
    return { packages, tasks, notes };
  },
};
