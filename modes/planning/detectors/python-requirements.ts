import { iniLines } from '../ini.ts';
import { joinPath } from '../source-tree.ts';
import type { SourceTree } from '../source-tree.ts';
import { isTable, stringsAt, stringAt, tableAt } from '../tables.ts';
import type { Table } from '../tables.ts';
import { nativeBuild, projectName } from './python-project.ts';
import type { PythonProject } from './python-project.ts';

export interface Requirements {
  /** PEP 508 requirements. */
  specs: string[];
  /** Project-relative requirements files. */
  files: string[];
}

const testExtra = /^(tests?|testing|unittests?|pytest)$/i;
const devExtra = /^(dev|develop|development)$/i;
const testFile =
  /^(requirements[-_.]?tests?(ing)?|tests?[-_]requirements|requirements\/tests?(ing)?|tests?\/requirements)\.(txt|in)$/;
const devFile = /^(requirements[-_.]?dev|dev[-_]requirements|requirements\/dev(elopment)?)\.(txt|in)$/;

/**
 * What the project and its tests need to run: its own dependencies and those it names for tests, or for development where it names none
 * for tests, or those of tox where it names neither.
 */
export function collectRequirements(tree: SourceTree, project: PythonProject): Requirements {
  const groups = extras(project);
  const files = requirementFiles(tree, project);
  const own = [
    ...runtime(project),
    ...(nativeBuild(project) === 'setuptools'
      ? ['setuptools', ...stringsAt(tableAt(project.pyproject, 'build-system'), 'requires')]
      : []),
  ];
  const chosen = (extra: RegExp, file: RegExp): Requirements => ({
    specs: [...groups].filter(([name]) => extra.test(name)).flatMap(([, specs]) => specs),
    files: files.filter((path) => file.test(path)),
  });
  const forTests = [chosen(testExtra, testFile), chosen(devExtra, devFile), toxRequirements(project)].find(
    ({ specs, files: found }) => specs.length + found.length > 0,
  );
  const plain = files.filter((path) => path === 'requirements.txt');
  const specs = [...own, ...(forTests?.specs ?? [])].flatMap((spec) => resolveSelf(spec, project, groups));
  return { specs: [...new Set(specs)].sort(), files: [...new Set([...plain, ...(forTests?.files ?? [])])].sort() };
}

function runtime({ pyproject, setupCfg, setupPy }: PythonProject): string[] {
  const poetry = poetryRequirements(tableAt(pyproject, 'tool', 'poetry', 'dependencies'));
  const inCfg = iniLines(setupCfg.get('options')?.get('install_requires'));
  return [
    ...stringsAt(tableAt(pyproject, 'project'), 'dependencies'),
    ...poetry,
    ...inCfg,
    ...literalList(setupPy, 'install_requires'),
  ];
}

/** Optional dependencies and dependency groups by name. */
function extras({ pyproject, setupCfg, setupPy }: PythonProject): Map<string, string[]> {
  const found = new Map<string, string[]>();
  const add = (name: string, specs: string[]): void => void found.set(name, [...(found.get(name) ?? []), ...specs]);
  const optional = tableAt(pyproject, 'project', 'optional-dependencies') ?? {};
  for (const name of Object.keys(optional)) add(name, stringsAt(optional, name));
  const groups = tableAt(pyproject, 'dependency-groups') ?? {};
  for (const name of Object.keys(groups)) add(name, groupRequirements(groups, name, new Set()));
  const poetryGroups = tableAt(pyproject, 'tool', 'poetry', 'group') ?? {};
  for (const name of Object.keys(poetryGroups))
    add(name, poetryRequirements(tableAt(poetryGroups, name, 'dependencies')));
  add('dev', poetryRequirements(tableAt(pyproject, 'tool', 'poetry', 'dev-dependencies')));
  for (const [name, value] of setupCfg.get('options.extras_require') ?? []) add(name, iniLines(value));
  add('test', [...iniLines(setupCfg.get('options')?.get('tests_require')), ...literalList(setupPy, 'tests_require')]);
  for (const name of ['test', 'tests', 'testing', 'dev'])
    add(name, literalList(/extras_require\s*=\s*\{[\s\S]*/.exec(setupPy)?.[0] ?? '', name));
  return found;
}

function groupRequirements(groups: Table, name: string, seen: Set<string>): string[] {
  const items = groups[name];
  if (!Array.isArray(items) || seen.has(name)) return [];
  seen.add(name);
  return items.flatMap((item: unknown) => {
    if (typeof item === 'string') return [item];
    const included = isTable(item) ? stringAt(item, 'include-group') : undefined;
    return included ? groupRequirements(groups, included, seen) : [];
  });
}

/** Poetry's `^1.2` and `~1.2` as PEP 508 ranges; what has no such form (git, path) is left out. */
function poetryRequirements(table: Table | undefined): string[] {
  return Object.entries(table ?? {}).flatMap(([name, value]) => {
    if (name === 'python') return [];
    const version =
      typeof value === 'string'
        ? value
        : isTable(value) && value['optional'] !== true
          ? stringAt(value, 'version')
          : undefined;
    if (version === undefined) return [];
    const named = isTable(value) ? stringsAt(value, 'extras') : [];
    return [`${name}${named.length > 0 ? `[${named.join(',')}]` : ''}${poetryRange(version)}`];
  });
}

function poetryRange(version: string): string {
  if (version === '*') return '';
  const caret = /^([\^~])(\d+)(?:\.(\d+))?(.*)$/.exec(version);
  if (!caret) return /^\d/.test(version) ? `==${version}` : version.replaceAll(' ', '');
  const [, sign, major = '0', minor, rest = ''] = caret;
  const next =
    (sign === '^' && major !== '0') || minor === undefined ? `${Number(major) + 1}` : `${major}.${Number(minor) + 1}`;
  return `>=${major}${minor === undefined ? '' : `.${minor}`}${rest},<${next}`;
}

/** The strings of a literal list in setup.py, such as `install_requires=["a", "b"]`. What is computed there cannot be known. */
function literalList(setupPy: string, key: string): string[] {
  const list = new RegExp(`['"]?\\b${key}['"]?\\s*[=:]\\s*[[(]([^\\])]*)[\\])]`).exec(setupPy)?.[1] ?? '';
  return [...list.matchAll(/['"]([A-Za-z0-9][^'"]*)['"]/g)].map((match) => match[1] ?? '');
}

function toxRequirements(project: PythonProject): Requirements {
  const lines = iniLines(project.tox.get('testenv')?.get('deps')).filter((line) => !/[{]/.test(line));
  const plain = lines.map((line) => line.replace(/^[\w,!.-]+:\s+/, ''));
  const files = plain.map((line) => /^-r\s*(\S+)/.exec(line)?.[1]).filter((path) => path !== undefined);
  return { specs: plain.filter((line) => /^[A-Za-z0-9]/.test(line)), files: files.map((path) => joinPath(path)) };
}

function requirementFiles(tree: SourceTree, { folder }: PythonProject): string[] {
  const folders = ['.', 'requirements', 'test', 'tests'];
  const paths = folders.flatMap((name) => tree.filesIn(joinPath(folder, name)));
  return paths.map((path) => (folder === '.' ? path : path.slice(folder.length + 1)));
}

/** `pkg[extra]` inside pkg's own extras means that extra's requirements. */
function resolveSelf(spec: string, project: PythonProject, groups: ReadonlyMap<string, string[]>): string[] {
  const match = /^([\w.-]+)\s*\[([^\]]+)\]\s*$/.exec(spec);
  if (!match || normal(match[1] ?? '') !== normal(projectName(project) ?? '')) return [spec];
  const names = (match[2] ?? '').split(',').map((name) => name.trim());
  return names.flatMap((name) => (groups.get(name) ?? []).filter((inner) => inner !== spec));
}

function normal(name: string): string {
  return name.toLowerCase().replace(/[-_.]+/g, '-');
}
