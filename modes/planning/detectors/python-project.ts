import { isInside, joinPath } from '../source-tree.ts';
import type { SourceTree } from '../source-tree.ts';
import { parseToml, stringAt, stringsAt, tableAt } from '../tables.ts';
import type { Table } from '../tables.ts';
import { parseIni } from '../ini.ts';
import type { Ini } from '../ini.ts';

/** The manifests of a Python project and its files. */
export interface PythonProject {
  folder: string;
  pyproject: Table | undefined;
  setupCfg: Ini;
  setupPy: string;
  tox: Ini;
  /** Workspace-relative paths of the project's Python files. */
  files: string[];
}

export async function readProject(tree: SourceTree, folder: string, others: string[]): Promise<PythonProject> {
  const text = (name: string): Promise<string | undefined> => tree.text(joinPath(folder, name));
  const inner = others.filter((other) => other !== folder && isInside(other, folder));
  const files = tree
    .entriesBelow(folder)
    .filter((entry) => entry.mode !== 'symlink')
    .map((entry) => entry.path);
  return {
    folder,
    pyproject: parseToml((await text('pyproject.toml')) ?? ''),
    setupCfg: parseIni((await text('setup.cfg')) ?? ''),
    setupPy: (await text('setup.py')) ?? '',
    tox: parseIni((await text('tox.ini')) ?? ''),
    files: files.filter(
      (path) =>
        /\.pyx?$/.test(path) &&
        !inner.some((other) => isInside(path, other)) &&
        !/(^|\/)(\.[^/]+|node_modules|vendor|_vendor|site-packages)\//.test(path),
    ),
  };
}

/** Whether the manifests make an installable package, rather than hold the settings of tools only. */
export function isPackage({ pyproject, setupCfg, setupPy }: PythonProject): boolean {
  return (
    tableAt(pyproject, 'project') !== undefined ||
    tableAt(pyproject, 'tool', 'poetry') !== undefined ||
    setupPy !== '' ||
    setupCfg.has('metadata')
  );
}

export function projectName(project: PythonProject): string | undefined {
  const { pyproject, setupCfg, setupPy } = project;
  return (
    stringAt(tableAt(pyproject, 'project'), 'name') ??
    stringAt(tableAt(pyproject, 'tool', 'poetry'), 'name') ??
    setupCfg.get('metadata')?.get('name') ??
    /\bname\s*=\s*['"]([^'"]+)['"]/.exec(setupPy)?.[1]
  );
}

export function projectVersion({ pyproject, setupCfg, setupPy }: PythonProject): string | undefined {
  const version =
    stringAt(tableAt(pyproject, 'project'), 'version') ??
    stringAt(tableAt(pyproject, 'tool', 'poetry'), 'version') ??
    setupCfg.get('metadata')?.get('version') ??
    /\bversion\s*=\s*['"]([^'"]+)['"]/.exec(setupPy)?.[1];
  return version?.startsWith('attr:') || version?.startsWith('file:') ? undefined : version;
}

/** Project-relative folder that imports start from: `src` in the src layout, else the project's own. */
export function sourceRoot(tree: SourceTree, project: PythonProject): string {
  const declared =
    stringsAt(tableAt(project.pyproject, 'tool', 'setuptools', 'packages', 'find'), 'where')[0] ??
    stringAt(tableAt(project.pyproject, 'tool', 'setuptools', 'package-dir'), '') ??
    project.setupCfg.get('options.packages.find')?.get('where') ??
    /^\s*=\s*(\S+)/m.exec(project.setupCfg.get('options')?.get('package_dir') ?? '')?.[1] ??
    /package_dir\s*=\s*\{\s*['"]{2}\s*:\s*['"]([^'"]+)/.exec(project.setupPy)?.[1];
  if (declared && tree.isFolder(joinPath(project.folder, declared))) return joinPath(declared);
  return tree.isFolder(joinPath(project.folder, 'src')) &&
    !tree.isFile(joinPath(project.folder, 'src/__init__.py')) &&
    project.files.some((path) => path.startsWith(joinPath(project.folder, 'src/')))
    ? 'src'
    : '.';
}

export type NativeBuild = 'setuptools' | 'other' | undefined;

/** What compiles code for the project, if anything does. */
export function nativeBuild(project: PythonProject): NativeBuild {
  if (/\bext_modules\b|\bExtension\s*\(|\bcythonize\s*\(|\bcffi_modules\b|RustExtension/.test(project.setupPy))
    return 'setuptools';
  const backend = stringAt(tableAt(project.pyproject, 'build-system'), 'build-backend') ?? '';
  return /^(maturin|mesonpy|scikit_build_core)/.test(backend) ? 'other' : undefined;
}
