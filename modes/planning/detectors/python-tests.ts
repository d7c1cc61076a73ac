import { posix } from 'node:path';
import { joinPath } from '../source-tree.ts';
import type { SourceTree } from '../source-tree.ts';
import { tableAt } from '../tables.ts';
import type { PythonProject } from './python-project.ts';
import type { Requirements } from './python-requirements.ts';
import { shellQuote } from './detector.ts';

export interface PythonTests {
  framework: 'pytest' | 'unittest';
  /** Arguments of `python`; each is a command of its own. */
  commands: string[];
  /** Requirements that the tests have by their settings without anything saying so. */
  implied: string[];
  /** Project-relative report files. */
  reports: string[];
}

const junit = 'pytest-junit.xml';
const filesLookedInto = 200;

/** How the project's tests are run; undefined when it has none. */
export async function findTests(
  tree: SourceTree,
  project: PythonProject,
  requirements: Requirements,
): Promise<PythonTests | undefined> {
  const files = project.files.filter((path) => /(^|\/)(test_[^/]*|[^/]*_test|tests?)\.py$/.test(path));
  const settings = await pytestSettings(tree, project);
  if (files.length === 0) return undefined;
  const texts = [...(await tree.readOnce(files.slice(0, filesLookedInto))).values()].map((content) =>
    content.toString('utf8'),
  );
  const named = [...requirements.specs, ...iniText(project)].some((line) => /\bpytest\b/.test(line));
  const withPytest =
    settings !== undefined ||
    named ||
    project.files.some((path) => posix.basename(path) === 'conftest.py') ||
    texts.some((text) => /^\s*(import|from) pytest\b/m.test(text)) ||
    !texts.some((text) => /\bunittest\b/.test(text));
  if (!withPytest)
    return { framework: 'unittest', commands: unittestCommands(tree, project, files), implied: [], reports: [] };
  const has = (name: string): boolean => requirements.specs.some((spec) => spec.toLowerCase().startsWith(name));
  const implied = [
    ...(has('pytest') && requirements.specs.some((spec) => /^pytest\s*([<>=!~;[]|$)/i.test(spec)) ? [] : ['pytest']),
    ...(settings?.includes('--cov') && !has('pytest-cov') ? ['pytest-cov'] : []),
    ...(settings?.includes('asyncio_mode') && !has('pytest-asyncio') ? ['pytest-asyncio'] : []),
  ];
  // Without -q: a project that sets it too would get -qq, which leaves the summary out.
  return { framework: 'pytest', commands: [`-m pytest --junitxml=${junit}`], implied, reports: [junit] };
}

/** pytest's own settings as text; undefined when no file has any. */
async function pytestSettings(tree: SourceTree, project: PythonProject): Promise<string | undefined> {
  const inToml = tableAt(project.pyproject, 'tool', 'pytest');
  const inIni = project.setupCfg.get('tool:pytest') ?? project.tox.get('pytest');
  const own = await tree.text(joinPath(project.folder, 'pytest.ini'));
  const found = [inToml && JSON.stringify(inToml), inIni && [...inIni].flat().join('\n'), own].filter(
    (text) => text !== undefined,
  );
  return found.length > 0 ? found.join('\n') : undefined;
}

function iniText({ tox }: PythonProject): string[] {
  return [...tox]
    .filter(([section]) => section.startsWith('testenv'))
    .flatMap(([, values]) => [values.get('deps') ?? '', values.get('commands') ?? '']);
}

/** `unittest discover` goes into packages only: it is started in each folder that test modules are imported from. */
function unittestCommands(tree: SourceTree, project: PythonProject, files: string[]): string[] {
  const starts = new Map<string, Set<string>>();
  for (const file of files) {
    let folder = posix.dirname(file);
    while (folder !== project.folder && folder !== '.' && tree.isFile(joinPath(folder, '__init__.py')))
      folder = posix.dirname(folder);
    const start =
      folder === project.folder ? '.' : project.folder === '.' ? folder : folder.slice(project.folder.length + 1);
    const pattern = posix.basename(file).startsWith('test') ? 'test*.py' : '*_test.py';
    starts.set(start, (starts.get(start) ?? new Set()).add(pattern));
  }
  return [...starts]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .flatMap(([start, patterns]) =>
      [...patterns].sort().map((pattern) => {
        const from = start === '.' ? '' : ` -s ${shellQuote(start)}`;
        return `-m unittest discover -v${from}${pattern === 'test*.py' ? '' : ` -p '${pattern}'`}`;
      }),
    );
}
