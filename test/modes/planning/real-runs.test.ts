import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdir, rename, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { analyse } from '../../../modes/planning/analyse.ts';
import { withTempDir } from '../../support/temp-dir.ts';
import { folderReader, textReader } from './folder-reader.ts';
import { runPlan } from './run-plan.ts';
import type { TaskRun } from './run-plan.ts';

/** Writes a project, plans it, runs the plan and gives what came of it. */
async function planAndRun(files: Record<string, string>): Promise<TaskRun[]> {
  return withTempDir(async (dir) => {
    const sources = join(dir, 'sources');
    for (const [path, text] of Object.entries(files)) {
      await mkdir(dirname(join(sources, path)), { recursive: true });
      await writeFile(join(sources, path), text);
    }
    const plan = await analyse(folderReader(sources), { env: {} });
    return runPlan(sources, plan, dir);
  });
}

function outcome(runs: TaskRun[]): unknown[] {
  return runs.map(({ task, exitCode, report }) => [
    task.id,
    exitCode,
    report.counts.passed,
    report.counts.failed,
    report.counts.skipped,
  ]);
}

describe('planned commands on real projects', () => {
  it('a npm workspace: links and outputs reach the packages that need them in other folders', async () => {
    const manifest = (name: string, more: object): string =>
      JSON.stringify({ name, version: '1.0.0', main: 'dist/index.js', ...more });
    const build = "node -e \"fs.mkdirSync('dist'),fs.copyFileSync('src.js','dist/index.js')\"";
    const runs = await planAndRun({
      'package.json': JSON.stringify({
        name: 'all',
        private: true,
        workspaces: ['packages/*'],
        scripts: { prepare: 'husky' },
      }),
      'packages/core/package.json': manifest('core', { scripts: { build } }),
      'packages/core/src.js': 'exports.one = 1;',
      'packages/app/package.json': manifest('app', {
        scripts: { build, test: 'node --test' },
        dependencies: { core: '1.0.0' },
      }),
      'packages/app/src.js': "exports.two = require('core').one + 1;",
      'packages/app/app.test.js':
        "const { test } = require('node:test'); test('two', () => require('node:assert').equal(require('.').two, 2)); test.skip('later');",
    });
    assert.deepEqual(outcome(runs), [
      ['install', 0, 0, 0, 0],
      ['build:core', 0, 0, 0, 0],
      ['build:app', 0, 0, 0, 0],
      ['test:app', 0, 1, 0, 1],
    ]);
  });

  it('a Go module: subtests count, a failed one is quoted', async () => {
    const runs = await planAndRun({
      'go.mod': 'module example.com/calc\n\ngo 1.21\n',
      'main.go': 'package main\n\nfunc add(a, b int) int { return a + b }\n\nfunc main() { println(add(1, 1)) }\n',
      'main_test.go':
        'package main\n\nimport "testing"\n\nfunc TestAdd(t *testing.T) {\n\tt.Run("one", func(t *testing.T) {})\n\tt.Run("two", func(t *testing.T) { t.Error("wrong") })\n}\n\nfunc TestSkip(t *testing.T) { t.Skip() }\n',
    });
    assert.deepEqual(outcome(runs), [
      ['build:example.com/calc', 0, 0, 0, 0],
      ['test:example.com/calc', 1, 1, 2, 1],
    ]);
  });

  it('a Cargo crate: unit, integration and documentation tests', async () => {
    const runs = await planAndRun({
      'Cargo.toml': '[package]\nname = "calc"\nversion = "0.1.0"\nedition = "2021"\n',
      'src/lib.rs':
        '/// ```\n/// assert_eq!(calc::add(1, 1), 2);\n/// ```\npub fn add(a: i32, b: i32) -> i32 { a + b }\n\n#[test]\nfn adds() { assert_eq!(add(1, 1), 2); }\n\n#[test]\n#[ignore]\nfn later() {}\n',
      'tests/outside.rs': '#[test]\nfn outside() { assert_eq!(calc::add(2, 2), 4); }\n',
    });
    assert.deepEqual(outcome(runs), [
      ['build:calc', 0, 0, 0, 0],
      ['test:calc', 0, 3, 0, 1],
    ]);
  });

  it('a Python project in the src layout', async () => {
    const runs = await planAndRun({
      'pyproject.toml': '[project]\nname = "calc"\nversion = "1.0"\n',
      'src/calc/__init__.py': 'def add(a, b):\n    return a + b\n',
      'tests/test_calc.py':
        'import unittest\nfrom calc import add\n\nclass Calc(unittest.TestCase):\n    def test_adds(self):\n        self.assertEqual(add(1, 1), 2)\n\n    def test_breaks(self):\n        self.assertEqual(add(1, 1), 3)\n',
    });
    assert.deepEqual(outcome(runs), [['test:calc', 1, 1, 1, 0]]);
    assert.match(
      runs[0]?.report.cases.find((each) => each.status === 'failed')?.message ?? '',
      /AssertionError: 2 != 3/,
    );
  });

  it('a virtual environment works in the folder that it was copied to', async () => {
    await withTempDir(async (dir) => {
      const plan = await analyse(textReader({ 'setup.py': 'setup()', 'test_a.py': 'import pytest\n' }), { env: {} });
      const install = plan.tasks[0]?.layers[0]?.install.shell ?? '';
      const run = promisify(execFile);
      const [made, copy] = [join(dir, 'made'), join(dir, 'copy')];
      await mkdir(made);
      // The environment alone: what is installed into it does not matter here.
      const shell = install.replace(/python -m pip install [^&]*/, 'python -m pip --version ');
      assert.notEqual(shell, install);
      await run('sh', ['-c', shell], { cwd: made });
      await rename(made, copy);
      const PATH = `${join(copy, '.helix-venv/bin')}:${process.env['PATH'] ?? ''}`;
      const { stdout } = await run('sh', ['-c', 'pip --version && python -c "import sys; print(sys.prefix)"'], {
        env: { PATH },
      });
      assert.match(stdout, new RegExp(`^pip .* from ${copy}/`));
      assert.ok(stdout.trim().endsWith(join(copy, '.helix-venv')), stdout);
    });
  });
});
