import assert from 'node:assert/strict';
import { planSchema } from '../../../contracts/plan.ts';
import type { Plan } from '../../../contracts/plan.ts';
import { analyse } from '../../../modes/planning/analyse.ts';
import { textReader } from './folder-reader.ts';

async function planOf(files: Record<string, string>): Promise<Plan> {
  return planSchema.parse(await analyse(textReader(files), { env: {} }));
}

function commands(plan: Plan): [id: string, shell: string, cwd: string][] {
  return plan.tasks.map((task) => [task.id, task.command.shell, task.command.cwd]);
}

describe('the plan of a Go project', () => {
  it('builds and tests each module, those without tests only built', async () => {
    const plan = await planOf({
      'go.mod': 'module example.com/a // root\n\nrequire (\n\texample.com/b v0.0.0\n)\n',
      'a.go': 'package a\n',
      'a_test.go': 'package a\n',
      'b/go.mod': 'module example.com/b\n',
      'b/b.go': 'package b\n',
      'testdata/c/go.mod': 'module c\n',
      'vendor/d/go.mod': 'module d\n',
    });
    assert.deepEqual(commands(plan), [
      ['build:example.com/a', 'go build -o /dev/null ./...', '.'],
      ['build:example.com/b', 'go build -o /dev/null ./...', 'b'],
      ['test:example.com/a', 'go test -json ./...', '.'],
    ]);
    assert.deepEqual(plan.tasks[2]?.needs, ['build:example.com/b', 'build:example.com/a']);
    assert.deepEqual(plan.classes, ['go']);
    assert.ok(plan.notes.some((note) => note.startsWith('go.mod in testdata/c ')));
  });

  it('takes in the modules that go.work names, examples among them', async () => {
    const plan = await planOf({
      'go.work': 'go 1.22\n\nuse (\n\t./x\n\t./examples/y // shown\n)\n',
      'x/go.mod': 'module x\n',
      'x/x.go': '',
      'examples/y/go.mod': 'module y\n',
      'examples/y/y.go': '',
    });
    assert.deepEqual(
      plan.tasks.map((task) => task.id),
      ['build:x', 'build:y'],
    );
  });
});

describe('the plan of a Cargo project', () => {
  it('is one build and one test for a workspace, with a package for each member', async () => {
    const plan = await planOf({
      'Cargo.toml': '[workspace]\nmembers = ["crates/*"]\nexclude = ["crates/off"]\n',
      'Cargo.lock': '',
      'crates/a/Cargo.toml': '[package]\nname = "a"\nversion = "1.0.0"\n[dependencies]\nb = { path = "../b" }\n',
      'crates/b/Cargo.toml': '[package]\nname = "b"\nversion.workspace = true\n',
      'crates/off/Cargo.toml': '[package]\nname = "off"\n',
      'broken/Cargo.toml': '[package\n',
    });
    assert.deepEqual(commands(plan), [
      ['build:cargo', 'cargo build --workspace --locked', '.'],
      ['test:cargo', 'cargo test --workspace --locked --no-fail-fast', '.'],
    ]);
    assert.deepEqual(
      plan.packages.map((each) => [each.name, each.dependsOn]),
      [
        ['a', ['b']],
        ['b', []],
      ],
    );
    assert.ok(plan.notes.includes('broken/Cargo.toml is not valid TOML and was left out'));
  });
});

describe('the plan of a Python project', () => {
  const pyproject = (rest: string): string => `[project]\nname = "p"\nversion = "1.0"\n${rest}`;

  it('imports the sources from where they are, and installs only what they and their tests need', async () => {
    const plan = await planOf({
      'pyproject.toml': pyproject(
        'dependencies = ["attrs>=20"]\n[project.optional-dependencies]\ntest = ["pytest", "p[fast]"]\nfast = ["ujson"]\ndocs = ["sphinx"]\n',
      ),
      'src/p/__init__.py': '',
      'tests/test_p.py': 'def test_one(): pass\n',
    });
    const test = plan.tasks.find((task) => task.kind === 'test');
    assert.equal(test?.command.shell, 'PYTHONPATH="$PWD"/src python -m pytest --junitxml=pytest-junit.xml');
    assert.deepEqual(test?.outputs, ['pytest-junit.xml']);
    assert.match(
      test?.layers[0]?.install.shell ?? '',
      /pip install --quiet --disable-pip-version-check 'attrs>=20' pytest ujson && /,
    );
    assert.equal(test?.layers[0]?.env['PATH'], '.helix-venv/bin');
    assert.deepEqual(
      plan.tasks.map((task) => task.kind),
      ['install', 'test'],
      'nothing is built where the sources suffice',
    );
  });

  it('installs the project beside its sources where its metadata is asked for', async () => {
    const plan = await planOf({
      'pyproject.toml': pyproject(''),
      'p/__init__.py': 'from importlib.metadata import version\n',
      'p/test_p.py': 'import unittest\n',
    });
    assert.deepEqual(commands(plan), [
      ['build:p', 'python3 -m pip install --quiet --disable-pip-version-check --no-deps --target .helix-site .', '.'],
      ['test:p', 'PYTHONPATH="$PWD":"$PWD"/.helix-site python3 -m unittest discover -v', '.'],
    ]);
    assert.deepEqual(plan.tasks[1]?.needs, ['build:p']);
  });

  it('compiles extensions in place and hands the package on with them', async () => {
    const plan = await planOf({
      'setup.py': 'setup(name="q", install_requires=["cffi"], ext_modules=[Extension("q._q", ["q.c"])])\n',
      'q/__init__.py': '',
      'tests/test_q.py': 'import unittest\n',
    });
    const build = plan.tasks.find((task) => task.kind === 'build');
    assert.equal(build?.command.shell, 'python setup.py build_ext --inplace');
    assert.deepEqual(build?.outputs, ['q']);
    assert.match(build?.layers[0]?.install.shell ?? '', / cffi setuptools &&/);
  });

  it('starts unittest where the test modules are imported from', async () => {
    const files = { 'setup.cfg': '[metadata]\nname = p\n', 'p.py': '', 'tests/test_p.py': 'import unittest\n' };
    const shell = async (more: Record<string, string>): Promise<string | undefined> =>
      (await planOf({ ...files, ...more })).tasks[0]?.command.shell;
    assert.equal(await shell({}), 'PYTHONPATH="$PWD" python3 -m unittest discover -v -s tests');
    assert.equal(await shell({ 'tests/__init__.py': '' }), 'PYTHONPATH="$PWD" python3 -m unittest discover -v');
  });

  it('reads poetry, setup.cfg, requirements files and tox for what the tests need', async () => {
    const install = async (files: Record<string, string>): Promise<string> => {
      const plan = await planOf({ ...files, 'test_p.py': 'import pytest\n' });
      return /pip-version-check (.*?) && for/.exec(plan.tasks[0]?.layers[0]?.install.shell ?? '')?.[1] ?? '';
    };
    const poetry =
      '[tool.poetry]\nname = "p"\n[tool.poetry.dependencies]\npython = "^3.9"\nattrs = "^22.1"\n[tool.poetry.group.test.dependencies]\npytest = "~7.2"\n';
    assert.equal(await install({ 'pyproject.toml': poetry }), "'attrs>=22.1,<23' 'pytest>=7.2,<7.3'");
    const cfg =
      '[metadata]\nname = p\n[options]\ninstall_requires =\n    attrs\n[options.extras_require]\ntests =\n    pytest>6\n    mock; python_version<"3"\n';
    assert.equal(await install({ 'setup.cfg': cfg }), `attrs 'mock; python_version<"3"' 'pytest>6'`);
    assert.equal(
      await install({ 'setup.py': 'setup()', 'requirements.txt': '', 'requirements-dev.txt': '' }),
      'pytest -r requirements-dev.txt -r requirements.txt',
    );
    assert.equal(
      await install({ 'setup.py': 'setup()', 'tox.ini': '[testenv]\ndeps =\n  pytest==8\n  py3: mock\n  {env:X}\n' }),
      'mock pytest==8',
    );
    const groups =
      '[project]\nname = "p"\n[dependency-groups]\ntest = ["pytest", {include-group = "base"}]\nbase = ["mock"]\n';
    assert.equal(await install({ 'pyproject.toml': groups }), 'mock pytest');
  });

  it('quotes requirements for the shell', async () => {
    const plan = await planOf({
      'pyproject.toml': pyproject('dependencies = ["a; $(touch x)\'"]\n'),
      'test_p.py': 'import pytest\n',
    });
    assert.match(plan.tasks[0]?.layers[0]?.install.shell ?? '', /'a; \$\(touch x\)'\\'''/);
  });
});

describe('the plan of a Maven project', () => {
  it('is one build and one test for a reactor, with its reports and jars as outputs', async () => {
    const pom = (rest: string): string => `<project><groupId>g</groupId>${rest}</project>`;
    const plan = await planOf({
      'pom.xml': pom(
        '<artifactId>all</artifactId><version>1</version><packaging>pom</packaging><modules><module>a</module><module>b</module></modules>',
      ),
      'a/pom.xml': pom('<parent><version>1</version></parent><artifactId>a</artifactId>'),
      'a/src/test/java/ATest.java': '',
      'b/pom.xml': pom(
        '<version>${revision}</version><artifactId>b</artifactId><dependencies><dependency><groupId>${project.groupId}</groupId><artifactId>a</artifactId></dependency></dependencies>',
      ),
    });
    assert.deepEqual(commands(plan), [
      ['build:all', 'mvn -B -q -DskipTests package', '.'],
      ['test:all', 'mvn -B test', '.'],
    ]);
    assert.deepEqual(plan.tasks[0]?.outputs, ['a/target/a-1.jar']);
    assert.deepEqual(plan.tasks[1]?.outputs, ['a/target/surefire-reports']);
    assert.deepEqual(
      plan.packages.map((each) => [each.name, each.dependsOn]),
      [
        ['all', []],
        ['a', []],
        ['b', ['a']],
      ],
    );
    assert.deepEqual(plan.classes, ['java && mvn']);
  });
});

describe('the plan of a Gradle project', () => {
  it('uses the wrapper, made executable or not, and needs no Gradle then', async () => {
    const files = {
      'settings.gradle.kts': 'rootProject.name = "g"\ninclude(":core", "app")\n',
      'build.gradle.kts': '',
      'core/build.gradle.kts': '',
      'core/src/test/java/A.java': '',
      'app/build.gradle': "dependencies { implementation project(':core') }",
    };
    const plan = await planOf({ ...files, '!gradlew': '#!/bin/sh\n' });
    assert.deepEqual(commands(plan), [
      ['build:g', './gradlew --no-daemon assemble', '.'],
      ['test:g', './gradlew --no-daemon test --continue', '.'],
    ]);
    assert.deepEqual(plan.classes, ['java']);
    assert.deepEqual(plan.packages.find((each) => each.path === 'app')?.dependsOn, ['core']);
    assert.equal(
      (await planOf({ ...files, gradlew: '' })).tasks[0]?.command.shell,
      'sh ./gradlew --no-daemon assemble',
    );
    assert.deepEqual((await planOf(files)).classes, ['gradle && java']);
  });
});

describe('the plan of a C or C++ project', () => {
  it('configures, builds and tests with CMake in one step, since a build folder cannot be moved', async () => {
    const plan = await planOf({
      'CMakeLists.txt': 'project(calc CXX)\nenable_testing()\nadd_test(NAME a COMMAND a)\n',
      Makefile: 'test:\n',
      'sub/CMakeLists.txt': 'project(sub)\n',
    });
    assert.deepEqual(commands(plan), [
      ['build:calc', 'cmake -S . -B build && cmake --build build', '.'],
      [
        'test:calc',
        'cmake -S . -B build && cmake --build build && ctest --test-dir build --output-on-failure --no-tests=error --output-junit "$PWD/ctest-junit.xml"',
        '.',
      ],
    ]);
  });

  it('tests with the target that a Makefile has', async () => {
    const shell = async (text: string): Promise<string | undefined> =>
      (await planOf({ Makefile: text })).tasks.find((task) => task.kind === 'test')?.command.shell;
    assert.equal(await shell('all:\n\tcc a.c\n.PHONY: test\ntest: all\n\t./a\n'), 'make && make test');
    assert.equal(await shell('all check: a\n\t./a\n'), 'make && make check');
    assert.equal(await shell('test := 1\nall:\n\ttest -f a\n'), undefined);
    assert.deepEqual(
      commands(await planOf({ '!configure': '', 'Makefile.am': 'SUBDIRS = src\n' })).map(([, command]) => command),
      ['./configure && make', './configure && make && make check'],
    );
  });

  it('leaves a Makefile beside another manifest alone', async () => {
    const plan = await planOf({ Makefile: 'test:\n', 'go.mod': 'module a\n', 'a.go': '' });
    assert.deepEqual(
      plan.packages.map((each) => each.ecosystem),
      ['go'],
    );
  });
});

describe('a repository of several ecosystems', () => {
  it('has the tasks of all, told apart by their ecosystem where names meet', async () => {
    const plan = await planOf({
      'package.json': '{"name":"both","scripts":{"test":"tape"}}',
      'pyproject.toml': '[project]\nname = "both"\n',
      'test_a.py': 'import unittest',
    });
    assert.deepEqual(
      plan.tasks.map((task) => [task.id, task.package]),
      [
        ['test:both', 'both'],
        ['test:both (python)', 'both (python)'],
      ],
    );
  });
});

describe('a repository with nothing to build', () => {
  it('has a plan without tasks and a note that says what was looked for', async () => {
    const plan = await planOf({ 'README.md': '# Hello\n\nworld' });
    assert.deepEqual(plan.tasks, []);
    assert.deepEqual(plan.languages, [{ name: 'Markdown', files: 1, bytes: 14, lines: 3 }]);
    assert.match(plan.notes[0] ?? '', /no manifest was found \(looked for package.json, go.mod, Cargo.toml/);
    assert.match(
      (await planOf({ 'package.json': '{"name":"a"}' })).notes[0] ?? '',
      /^Nothing to build or test: the packages found/,
    );
    assert.deepEqual((await planOf({})).tasks, []);
  });
});
