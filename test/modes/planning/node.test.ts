import assert from 'node:assert/strict';
import { planSchema } from '../../../contracts/plan.ts';
import type { Plan, Task } from '../../../contracts/plan.ts';
import { analyse } from '../../../modes/planning/analyse.ts';
import { textReader } from './folder-reader.ts';

type Json = Record<string, unknown>;

async function planOf(files: Record<string, string | Json>, env: Record<string, string> = {}): Promise<Plan> {
  const texts = Object.entries(files).map(([path, content]) => [
    path,
    typeof content === 'string' ? content : JSON.stringify(content),
  ]);
  const plan = await analyse(textReader(Object.fromEntries(texts) as Record<string, string>), { env });
  return planSchema.parse(plan);
}

function task(plan: Plan, id: string): Task {
  const found = plan.tasks.find((each) => each.id === id);
  assert.ok(found, `a task ${id} among ${plan.tasks.map((each) => each.id).join(', ')}`);
  return found;
}

function installCommand(plan: Plan): string | undefined {
  return task(plan, 'install').layers[0]?.install.shell;
}

const lock = {
  lockfileVersion: 3,
  packages: { '': {}, 'node_modules/esbuild': { hasInstallScript: true }, 'packages/own': { hasInstallScript: true } },
};
const tested = { scripts: { test: 'node --test' }, devDependencies: { left: '1.0.0' } };

/** app needs lib at run time, tools for development; tools needs lib. */
const workspace: Record<string, Json | string> = {
  'package.json': {
    name: 'all',
    workspaces: ['packages/*'],
    scripts: { build: 'npm run build --workspaces', test: 'npm test -ws' },
    devDependencies: { typescript: '5.9.0' },
  },
  'package-lock.json': lock,
  'packages/app/package.json': {
    name: '@x/app',
    main: 'dist/main.js',
    scripts: { build: 'tsc', test: 'mocha' },
    dependencies: { '@x/lib': '1.0.0' },
    devDependencies: { '@x/tools': '1.0.0' },
  },
  'packages/app/tsconfig.json':
    '{ // comment\n "compilerOptions": { "outDir": "./dist", }, "references": [{ "path": "../lib" }] }',
  'packages/lib/package.json': {
    name: '@x/lib',
    types: './types/index.d.ts',
    scripts: { build: 'tsc', test: 'echo "Error: no test specified" && exit 1' },
  },
  'packages/lib/tsconfig.json': { extends: '../../tsconfig.base.json', compilerOptions: { composite: true } },
  'packages/lib/src/index.ts': 'export const one = 1;\n',
  'packages/tools/package.json': {
    name: '@x/tools',
    scripts: { test: 'vitest run' },
    dependencies: { '@x/lib': '1.0.0' },
  },
  'tsconfig.base.json': { compilerOptions: { outDir: 'built' } },
};

describe('the plan of a npm workspace', () => {
  it('builds, checks and tests each package after the builds of all it depends on', async () => {
    const plan = await planOf(workspace);
    assert.deepEqual(
      plan.tasks.map((each) => [each.id, each.command.shell, each.command.cwd, each.needs]),
      [
        ['install', 'npm ls --depth=0 || true', '.', []],
        ['build:@x/app', 'npm run build', 'packages/app', ['install', 'build:@x/lib']],
        ['build:@x/lib', 'npm run build', 'packages/lib', ['install']],
        ['check:@x/app', 'npx --no -- tsc -b', 'packages/app', ['install', 'build:@x/lib']],
        ['check:@x/lib', 'npx --no -- tsc --noEmit', 'packages/lib', ['install']],
        ['test:@x/app', 'npm test', 'packages/app', ['install', 'build:@x/lib', 'build:@x/app']],
        ['test:@x/tools', 'npm test', 'packages/tools', ['install', 'build:@x/lib']],
      ],
    );
    assert.deepEqual(plan.classes, ['node && npm']);
    assert.deepEqual(
      plan.packages.map((each) => [each.name, each.dependsOn, each.testFramework]),
      [
        ['@x/app', ['@x/lib', '@x/tools'], 'mocha'],
        ['@x/lib', [], undefined],
        ['@x/tools', ['@x/lib'], 'vitest'],
      ],
    );
    assert.ok(plan.notes.includes('@x/lib has no test script'));
  });

  it('gives a package the builds of those it depends on through others', async () => {
    const pack = (name: string, needed: object): Json => ({ name, scripts: { build: 'tsc' }, dependencies: needed });
    const plan = await planOf({
      'package.json': { name: 'all', workspaces: ['*'] },
      'a/package.json': pack('a', { b: '1' }),
      'b/package.json': pack('b', { c: '1' }),
      'c/package.json': pack('c', {}),
    });
    assert.deepEqual(task(plan, 'build:a').needs, ['install', 'build:c', 'build:b']);
  });

  it('declares the outputs that the sources give evidence of', async () => {
    const plan = await planOf(workspace);
    const outputs = task(plan, 'build:@x/lib').outputs;
    assert.ok(outputs.includes('packages/lib/types'), 'a folder of package.json');
    assert.ok(outputs.includes('packages/lib/tsconfig.tsbuildinfo'), 'what tsc -b must not find stale');
    assert.ok(task(plan, 'build:@x/app').outputs.includes('packages/app/dist'));
    const tracked = await planOf({ ...workspace, 'packages/app/dist/kept.js': '' });
    const lib = await planOf({ ...workspace, 'packages/lib/lib/index.js': '' });
    assert.ok(task(tracked, 'build:@x/app').outputs.includes('packages/app/dist'), 'tsconfig says that it is written');
    assert.ok(
      !task(lib, 'build:@x/lib').outputs.includes('packages/lib/lib'),
      'a folder in the sources is no output by its name',
    );
  });

  it('installs into one layer of the root, which holds the node_modules of every package', async () => {
    const [layer] = task(await planOf(workspace), 'test:@x/app').layers;
    assert.deepEqual(layer?.paths, [
      'node_modules',
      'packages/app/node_modules',
      'packages/lib/node_modules',
      'packages/tools/node_modules',
    ]);
    assert.equal(layer?.install.shell, 'npm ci --no-audit --no-fund');
  });

  it('is the same whatever the order of the files', async () => {
    const turned = Object.fromEntries(Object.entries(workspace).reverse());
    assert.equal(JSON.stringify(await planOf(turned)), JSON.stringify(await planOf(workspace)));
  });

  it('breaks a cycle at a development dependency and says so', async () => {
    const plan = await planOf({
      ...workspace,
      'packages/lib/package.json': {
        name: '@x/lib',
        scripts: { build: 'tsc', test: 'mocha' },
        devDependencies: { '@x/app': '1.0.0' },
      },
    });
    assert.deepEqual(task(plan, 'build:@x/app').needs, ['install', 'build:@x/lib']);
    assert.deepEqual(task(plan, 'build:@x/lib').needs, ['install']);
    assert.ok(plan.notes.some((note) => /@x\/lib and @x\/app depend on each other/.test(note)));
  });

  it('lets the root build for all where no package builds itself', async () => {
    const plan = await planOf({
      'package.json': { name: 'all', workspaces: { packages: ['a', '!b'] }, scripts: { build: 'tsc -b' } },
      'a/package.json': { name: 'a', main: 'dist/a.js', ...tested },
      'b/package.json': { name: 'b', ...tested },
    });
    assert.deepEqual(task(plan, 'test:a').needs, ['install', 'build:all']);
    assert.ok(task(plan, 'build:all').outputs.includes('a/dist'));
    assert.ok(plan.notes.some((note) => /^package.json in b belongs to no workspace/.test(note)));
  });

  it("keeps the root's own tests where no package runs them", async () => {
    const own = {
      ...workspace,
      'package.json': { name: 'all', workspaces: ['packages/*'], scripts: { test: 'mocha' } },
      'e2e/a.test.js': '',
    };
    assert.deepEqual(task(await planOf(own), 'test:all').needs, ['install', 'build:@x/lib', 'build:@x/app']);
    const { 'e2e/a.test.js': _left, ...without } = own;
    assert.equal(
      (await planOf(without)).tasks.find((each) => each.id === 'test:all'),
      undefined,
    );
  });
});

describe('the installation layer', () => {
  const key = async (files: Record<string, string | Json>, env = {}): Promise<string | undefined> =>
    task(await planOf(files, env), 'install').layers[0]?.key;

  it('has a key over what an installation reads, and over nothing else', async () => {
    const before = await key({ 'package.json': { name: 'a', version: '1.0.0', ...tested }, 'a.js': '1' });
    assert.equal(
      await key({
        'package.json': { name: 'a', version: '2.0.0', ...tested, scripts: { test: 'mocha' } },
        'a.js': '2',
      }),
      before,
    );
    assert.notEqual(
      await key({ 'package.json': { name: 'a', ...tested, devDependencies: { left: '2.0.0' } } }),
      before,
    );
    assert.notEqual(await key({ 'package.json': { name: 'a', ...tested, dependencies: { right: '1' } } }), before);
    assert.notEqual(await key({ 'package.json': { name: 'a', ...tested }, '.npmrc': 'registry=elsewhere' }), before);
    assert.notEqual(await key({ 'package.json': { name: 'a', ...tested }, 'package-lock.json': lock }), before);
    assert.notEqual(
      await key({ 'package.json': { name: 'a', ...tested } }, { NPM_CONFIG_REGISTRY: 'elsewhere' }),
      before,
    );
  });

  it('leaves no lock file behind where there was none', async () => {
    const plan = await planOf({ 'package.json': { name: 'a', ...tested } });
    assert.equal(installCommand(plan), 'npm install --no-audit --no-fund --no-package-lock');
    assert.ok(plan.notes.some((note) => /no lock file/.test(note)));
  });

  it("does not run the project's own lifecycle scripts, which need a checkout, but those of dependencies", async () => {
    const scripts = { test: 'node --test', prepare: 'husky', postinstall: 'patch-package' };
    const plan = await planOf({ 'package.json': { name: 'a', ...tested, scripts }, 'package-lock.json': lock });
    assert.equal(
      installCommand(plan),
      'npm ci --no-audit --no-fund --ignore-scripts && npm rebuild esbuild && npm run postinstall',
    );
    assert.deepEqual(
      plan.tasks.map((each) => each.id),
      ['install', 'test:a'],
      'setting up git hooks is no build',
    );
  });

  it('is left out where there is nothing to install', async () => {
    const plan = await planOf({ 'package.json': { name: 'a', scripts: { test: 'node --test' } } });
    assert.deepEqual(
      plan.tasks.map((each) => [each.id, each.layers.length]),
      [['test:a', 0]],
    );
  });

  it('brings pnpm and yarn with it, in the version that the project names', async () => {
    const with_ = async (files: Record<string, string>, manifest: Json = {}): Promise<string | undefined> =>
      installCommand(await planOf({ 'package.json': { name: 'a', ...tested, ...manifest }, ...files }));
    assert.match(
      (await with_({ 'pnpm-lock.yaml': "lockfileVersion: '6.0'\n" })) ?? '',
      /pnpm@8 && pnpm install --frozen-lockfile$/,
    );
    assert.match(
      (await with_({ 'pnpm-lock.yaml': '' }, { packageManager: 'pnpm@10.1.0+sha512.00' })) ?? '',
      /pnpm@10.1.0 && /,
    );
    assert.match(
      (await with_({ 'yarn.lock': '# yarn lockfile v1\n' })) ?? '',
      /yarn@1.22.22 && yarn install --frozen-lockfile$/,
    );
    assert.match(
      (await with_({ 'yarn.lock': '__metadata:\n  version: 8\n' })) ?? '',
      /@yarnpkg\/cli-dist@4 && yarn install --immutable$/,
    );
    const plan = await planOf({ 'package.json': { name: 'a', ...tested }, 'pnpm-lock.yaml': '' });
    assert.equal(task(plan, 'test:a').command.shell, 'pnpm test');
    assert.equal(task(plan, 'test:a').layers[0]?.env['PATH'], '.helix-tools/node_modules/.bin');
    assert.ok(task(plan, 'test:a').layers[0]?.paths.includes('.helix-tools'));
    assert.deepEqual(plan.classes, ['node && npm']);
  });
});

describe('manifests below others', () => {
  it('are noted and not run, unless they are members of a workspace', async () => {
    const files = {
      'package.json': { name: 'a', ...tested },
      'examples/demo/package.json': { name: 'demo', ...tested },
      'test/fixtures/broken/package.json': '{ not json',
      'website/package.json': { name: 'site', ...tested },
      'node_modules/left/package.json': { name: 'left', ...tested },
      'esm/package.json': { type: 'module' },
    };
    const plan = await planOf(files);
    assert.deepEqual(
      plan.packages.map((each) => each.name),
      ['a'],
    );
    assert.ok(
      plan.notes.includes(
        'package.json in website, examples/demo belongs to no workspace of the project: not built or tested',
      ),
    );
    const member = await planOf({ ...files, 'package.json': { name: 'a', ...tested, workspaces: ['examples/*'] } });
    assert.ok(task(member, 'test:demo'));
  });

  it('are roots of their own where there is none above them', async () => {
    const plan = await planOf({
      'front/package.json': { name: 'same', ...tested },
      'back/package.json': { name: 'same', ...tested },
    });
    assert.deepEqual(
      plan.tasks.map((each) => each.id),
      ['install:back', 'install:front', 'test:back', 'test:front'],
    );
  });
});

describe('options of a plan', () => {
  it('put the variables into every step and the class on top of what the tools need', async () => {
    const reader = textReader({ 'package.json': JSON.stringify({ name: 'a', ...tested }) });
    const plan = await analyse(reader, { env: { CI: 'no', MODE: 'x' }, nodeClass: 'linux && rack=b' });
    assert.deepEqual(plan.classes, ['linux && node && npm && rack=b']);
    assert.deepEqual(task(plan, 'test:a').env, { CI: 'no', MODE: 'x' });
  });
});
