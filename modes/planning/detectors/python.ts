import { posix } from 'node:path';
import type { Layer } from '../../../contracts/step.ts';
import { makeLayer } from '../layer.ts';
import { notedManifests, selectRoots } from '../nested.ts';
import { depth, joinPath } from '../source-tree.ts';
import type { SourceTree } from '../source-tree.ts';
import { tableAt } from '../tables.ts';
import type { Detection, Detector, DraftPackage, DraftTask } from './detector.ts';
import { folderTitle, shellQuote, taskKey } from './detector.ts';
import { isPackage, nativeBuild, projectName, projectVersion, readProject, sourceRoot } from './python-project.ts';
import type { PythonProject } from './python-project.ts';
import { collectRequirements } from './python-requirements.ts';
import type { Requirements } from './python-requirements.ts';
import { findTests } from './python-tests.ts';

const venv = '.helix-venv';
/** Where a build puts the installed project: its metadata for those who ask for it at run time, and compiled modules. */
const site = '.helix-site';

/**
 * Python projects. Layers are copied between folders, so nothing in one may hold a path into the sources: the project is not installed
 * into the virtual environment but imported from its sources by PYTHONPATH.
 */
export const python: Detector = {
  ecosystem: 'python',
  manifests: ['pyproject.toml', 'setup.py', 'setup.cfg', 'tox.ini', 'pytest.ini', 'requirements.txt'],

  async detect(tree, { env }): Promise<Detection> {
    const folders = [...new Set(['pyproject.toml', 'setup.py', 'setup.cfg'].flatMap((name) => tree.foldersWith(name)))];
    const projects = new Map<string, PythonProject>();
    for (const folder of folders) {
      const project = await readProject(tree, folder, []);
      if (isPackage(project)) projects.set(folder, project);
    }
    for (const folder of tree.foldersWith('requirements.txt')) {
      const project = await readProject(tree, folder, []);
      const loose = depth(folder) <= 1 && ![...projects.keys()].some((other) => other === '.' || other === folder);
      if (loose && project.files.length > 0) projects.set(folder, project);
    }
    const { roots, noted } = selectRoots([...projects.keys()]);
    const found: Detection = { packages: [], tasks: [], notes: notedManifests('pyproject.toml or setup.py', noted) };
    for (const folder of roots) {
      const one = await detectProject(tree, await readProject(tree, folder, roots), env);
      found.packages.push(...one.packages);
      found.tasks.push(...one.tasks);
      found.notes.push(...one.notes);
    }
    return found;
  },
};

async function detectProject(
  tree: SourceTree,
  project: PythonProject,
  env: Record<string, string>,
): Promise<Detection> {
  const { folder } = project;
  const name = projectName(project) ?? (folder === '.' ? 'python' : posix.basename(folder));
  const declared = collectRequirements(tree, project);
  const tests = await findTests(tree, project, declared);
  const requirements = { ...declared, specs: [...declared.specs, ...(tests?.implied ?? [])] };
  const source = sourceRoot(tree, project);
  const native = nativeBuild(project);
  const build = await buildCommand(tree, project, native);
  const needed =
    requirements.specs.length + requirements.files.length > 0 || (build !== undefined && native !== undefined);
  const layer = needed && (tests || build) ? await venvLayer(tree, project, requirements, env) : undefined;
  const program = layer ? 'python' : 'python3';
  const paths = native === 'other' ? [site, source] : [source, ...(build && !native ? [site] : [])];
  const pythonPath = `PYTHONPATH=${paths.map((path) => (path === '.' ? '"$PWD"' : `"$PWD"/${shellQuote(path)}`)).join(':')}`;
  const testShell = tests?.commands.map((command) => `${pythonPath} ${program} ${command}`).join(' && ');
  const buildShell = build && `${program} ${build.command}`;

  const common = {
    folder,
    ofPackage: true,
    env: { CI: 'true', PYTHONDONTWRITEBYTECODE: '1' },
    layers: layer ? [layer] : [],
    tools: ['python3'],
  };
  const install = layer ? [taskKey('install', folder)] : [];
  const tasks: DraftTask[] = [];
  if (layer) {
    tasks.push({
      ...common,
      ofPackage: false,
      kind: 'install',
      title: `Install the requirements of ${folderTitle(folder)} with pip`,
      shell: 'python -m pip list --disable-pip-version-check',
      needs: [],
    });
  }
  if (build && buildShell) {
    tasks.push({
      ...common,
      kind: 'build',
      title: `Build ${folderTitle(folder)}`,
      shell: buildShell,
      needs: install,
      outputs: build.outputs.map((path) => joinPath(folder, path)),
    });
  }
  if (tests && testShell) {
    tasks.push({
      ...common,
      kind: 'test',
      title: `Test ${folderTitle(folder)} with ${tests.framework}`,
      shell: testShell,
      needs: [...install, ...(build ? [taskKey('build', folder)] : [])],
      outputs: tests.reports.map((path) => joinPath(folder, path)),
    });
  }
  const version = projectVersion(project);
  const draft: DraftPackage = {
    name,
    path: folder,
    ecosystem: 'python',
    manager: manager(tree, project),
    ...(version ? { version } : {}),
    dependsOn: [],
    ...(buildShell ? { buildCommand: buildShell } : {}),
    ...(testShell && tests ? { testCommand: testShell, testFramework: tests.framework } : {}),
  };
  const locks = ['uv.lock', 'poetry.lock', 'Pipfile.lock', 'pdm.lock'].filter((file) =>
    tree.isFile(joinPath(folder, file)),
  );
  return {
    packages: [draft],
    tasks,
    notes: [
      ...(tests ? [] : [`${name} (Python) has no tests in its sources`]),
      ...(layer && locks.length > 0
        ? [`${locks.join(', ')} is not used: pip installs what the manifests of ${name} ask for`]
        : []),
    ],
  };
}

/** What a build has to make beyond the sources: compiled modules, or the metadata that the code asks for at run time. */
async function buildCommand(
  tree: SourceTree,
  project: PythonProject,
  native: 'setuptools' | 'other' | undefined,
): Promise<{ command: string; outputs: string[] } | undefined> {
  const { folder } = project;
  if (native === 'setuptools') {
    const top = (path: string): string =>
      path
        .slice(folder === '.' ? 0 : folder.length + 1)
        .split('/')
        .slice(0, sourceRoot(tree, project) === '.' ? 1 : 2)
        .join('/');
    const packages = project.files
      .filter((path) => path.endsWith('__init__.py'))
      .map(top)
      .filter((path) => tree.isFolder(joinPath(folder, path)));
    return { command: 'setup.py build_ext --inplace', outputs: [...new Set(packages)] };
  }
  if (!native && !(await asksForMetadata(tree, project))) return undefined;
  return {
    command: `-m pip install --quiet --disable-pip-version-check --no-deps --target ${site} .`,
    outputs: [site],
  };
}

async function asksForMetadata(tree: SourceTree, project: PythonProject): Promise<boolean> {
  if (!isPackage(project)) return false;
  const declared =
    tableAt(project.pyproject, 'project', 'entry-points') ??
    tableAt(project.pyproject, 'tool', 'poetry', 'plugins') ??
    project.setupCfg.get('options.entry_points');
  if (declared !== undefined || /\bentry_points\s*=/.test(project.setupPy)) return true;
  const contents = await tree.readOnce(project.files.slice(0, 2000));
  return [...contents].some(
    ([path, content]) =>
      posix.basename(path) !== 'setup.py' &&
      /\bimportlib[._]metadata\b|\bpkg_resources\b/.test(content.toString('utf8')),
  );
}

async function venvLayer(
  tree: SourceTree,
  project: PythonProject,
  { specs, files }: Requirements,
  userEnv: Record<string, string>,
): Promise<Layer> {
  const { folder } = project;
  const wanted = [...specs.map(shellQuote), ...files.map((file) => `-r ${shellQuote(file)}`)];
  const install = [
    `python3 -m venv ${venv}`,
    ...(wanted.length > 0
      ? [`${venv}/bin/python -m pip install --quiet --disable-pip-version-check ${wanted.join(' ')}`]
      : []),
    // Scripts begin with the absolute path of this slot's python; in a copy they must find the copy's.
    `for script in ${venv}/bin/*; do [ -L "$script" ] || { sed -i.old '1s|^#!.*/${venv}/bin/python[0-9.]*$|#!/usr/bin/env python|' "$script" && rm "$script.old"; }; done`,
  ].join(' && ');
  const texts = await withIncluded(tree, folder, files);
  return makeLayer({
    name: joinPath(folder, venv),
    install: { shell: install, cwd: folder },
    paths: [joinPath(folder, venv)],
    env: { PATH: joinPath(folder, venv, 'bin') },
    userEnv,
    keyParts: texts,
  });
}

/** Texts of requirements files by path, those they include with `-r` or `-c` among them. */
async function withIncluded(tree: SourceTree, folder: string, files: string[]): Promise<Map<string, string>> {
  const texts = new Map<string, string>();
  const queue = [...files];
  for (let file = queue.shift(); file !== undefined; file = queue.shift()) {
    const text = await tree.text(joinPath(folder, file));
    if (text === undefined || texts.has(file)) continue;
    texts.set(file, text);
    const included = [...text.matchAll(/^\s*(?:-r|-c|--requirement|--constraint)[ =]*(\S+)/gm)].map(
      (match) => match[1] ?? '',
    );
    queue.push(...included.map((path) => joinPath(posix.dirname(file), path)));
  }
  return texts;
}

function manager(tree: SourceTree, { folder, pyproject }: PythonProject): string {
  if (tableAt(pyproject, 'tool', 'poetry')) return 'poetry';
  return tree.isFile(joinPath(folder, 'uv.lock')) ? 'uv' : 'pip';
}
