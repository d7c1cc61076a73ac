import assert from 'node:assert/strict';
import { chmod, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { strictConfig, withProject } from './project.ts';

describe('moving a file', () => {
  it('mends imports of the file and its own, each in its own style', () =>
    withProject(
      {
        'tsconfig.json': strictConfig({
          module: 'esnext',
          moduleResolution: 'bundler',
          allowImportingTsExtensions: true,
        }),
        'src/text/trim.ts':
          "import { pad } from '../pad';\nimport type { Options } from '../types/index.js';\nexport const trim = (text: string, options?: Options): string => pad(text.trim(), options);\n",
        'src/pad.ts':
          'import type { Options } from "./types";\nexport const pad = (text: string, _options?: Options): string => text;\n',
        'src/types/index.ts': 'export interface Options { width: number }\n',
        'src/a.ts': "export { trim } from './text/trim';\n",
        'src/b.ts': "import { trim } from './text/trim.js';\nexport const b = trim('b');\n",
        'src/c.ts':
          "export const c = (await import('./text/trim.ts')).trim('c');\nexport type T = typeof import('./text/trim').trim;\nexport const text = './text/trim';\n",
        'src/text/d.js': '/** @type {typeof import("./trim").trim} */\nexport const d = (text) => text;\n',
      },
      async (project) => {
        assert.deepEqual(await project.typeErrors(), []);
        const { summary } = await project.apply('move-file:src/text/trim.ts=lib/trimming.ts');
        assert.equal(summary, 'moved src/text/trim.ts to lib/trimming.ts: 4 other files changed');
        assert.match(
          await project.read('lib/trimming.ts'),
          /from '\.\.\/src\/pad';\n.*from '\.\.\/src\/types\/index\.js'/,
        );
        assert.match(await project.read('src/a.ts'), /'\.\.\/lib\/trimming';/);
        assert.match(await project.read('src/b.ts'), /'\.\.\/lib\/trimming\.js'/);
        assert.equal(
          await project.read('src/c.ts'),
          "export const c = (await import('../lib/trimming.ts')).trim('c');\nexport type T = typeof import('../lib/trimming').trim;\nexport const text = './text/trim';\n",
        );
        assert.match(await project.read('src/text/d.js'), /import\("\.\.\/\.\.\/lib\/trimming"\)/);
        assert.deepEqual(await project.typeErrors(), []);
      },
    ));

  it('keeps leaving out index, and starts to where that is the style', () =>
    withProject(
      {
        'package.json': '{ "type": "commonjs", "main": "lib" }',
        'lib/index.js': "const { one } = require('./one');\nmodule.exports = { one };\n",
        'lib/one/index.js': "exports.one = require('../two').two / 2;\n",
        'lib/two.js': 'exports.two = 2;\n',
        'main.js':
          "const { one } = require('.');\nconsole.log(one, require('./lib').one, require.resolve('./lib/two').length > 0);\n",
        'index.js': "module.exports = require('./lib/');\n",
      },
      async (project) => {
        assert.equal(await project.node('main.js'), '1 1 true\n');
        await project.apply('move-file:lib/two.js=lib/two/index.js');
        assert.match(await project.read('lib/one/index.js'), /require\('\.\.\/two'\)/);
        await project.apply('move-file:lib/one/index.js=lib/first.js');
        assert.match(await project.read('lib/index.js'), /require\('\.\/first'\)/);
        assert.match(await project.read('lib/first.js'), /require\('\.\/two'\)/);
        await project.apply('move-file:lib/two/index.js=lib/second.js');
        assert.match(await project.read('main.js'), /require\.resolve\('\.\/lib\/second'\)/);
        await project.apply('move-file:lib/index.js=source/index.js');
        assert.equal(await project.node('main.js'), '1 1 true\n');
      },
    ));

  it('mends aliases of tsconfig and of package.json, manifests, scripts and the moved entry of a package', () =>
    withProject(
      {
        'package.json':
          '{\n  "type": "module",\n  "scripts": { "go": "node app/run.ts && node app/run.tsx" },\n  "imports": { "#run": "./app/run.ts" }\n}\n',
        'tsconfig.json':
          '{\n  // aliases\n  "compilerOptions": { "paths": { "@/*": ["./app/*"], "run": ["./app/run.ts"] } },\n  "files": ["app/run.ts"]\n}\n',
        'app/run.ts': 'export const run = 1;\n',
        'app/x.ts':
          "import { run } from '@/run';\nimport { run as a } from '#run';\nimport { run as b } from 'run';\nexport const x = [run, a, b];\n",
        'packages/core/package.json':
          '{ "name": "core", "exports": { ".": { "types": "./dist/main.d.ts", "import": "./dist/main.js" } } }',
        'packages/core/src/main.ts': "export { util } from './util.js';\n",
        'packages/core/src/util.ts': 'export const util = 1;\n',
        'packages/app/y.ts': "import { util } from 'core';\nexport const y = util;\n",
      },
      async (project) => {
        await project.apply('move-file:app/run.ts=app/jobs/start.ts');
        assert.equal(
          await project.read('package.json'),
          '{\n  "type": "module",\n  "scripts": { "go": "node app/jobs/start.ts && node app/run.tsx" },\n  "imports": { "#run": "./app/jobs/start.ts" }\n}\n',
        );
        assert.equal(
          await project.read('tsconfig.json'),
          '{\n  // aliases\n  "compilerOptions": { "paths": { "@/*": ["./app/*"], "run": ["./app/jobs/start.ts"] } },\n  "files": ["app/jobs/start.ts"]\n}\n',
        );
        assert.equal(
          await project.read('app/x.ts'),
          "import { run } from '@/jobs/start';\nimport { run as a } from '#run';\nimport { run as b } from 'run';\nexport const x = [run, a, b];\n",
        );
        await project.apply('move-file:packages/core/src/main.ts=packages/core/src/entry/all.ts');
        assert.match(
          await project.read('packages/core/package.json'),
          /"types": "\.\/dist\/entry\/all\.d\.ts", "import": "\.\/dist\/entry\/all\.js"/,
        );
        assert.match(await project.read('packages/core/src/entry/all.ts'), /'\.\.\/util\.js'/);
        assert.match(await project.read('packages/app/y.ts'), /from 'core'/);
      },
    ));

  it('takes the mode, the byte order mark and declarations along, and leaves no empty folder', () =>
    withProject(
      {
        'tool/run.js': '\uFEFFexport const a = 1;\r\n',
        'tool/run.d.ts': 'export declare const a: number;\n',
        'use.ts': "import { a } from './tool/run.js';\nexport const b: number = a;\n",
      },
      async (project) => {
        await chmod(join(project.root, 'tool/run.js'), 0o755);
        const { changed } = await project.apply('move-file:tool/run.js=bin/start.js');
        assert.deepEqual(changed, ['bin/start.d.ts', 'bin/start.js', 'tool/run.d.ts', 'tool/run.js', 'use.ts']);
        assert.equal(await project.read('bin/start.js'), '\uFEFFexport const a = 1;\r\n');
        assert.equal((await stat(join(project.root, 'bin/start.js'))).mode & 0o777, 0o755);
        await assert.rejects(stat(join(project.root, 'tool')));
        assert.deepEqual(await project.typeErrors(), []);
      },
    ));

  it('keeps what the moved file imports that is not there, such as a generated file', () =>
    withProject(
      { 'a.ts': "import './style.css';\nexport { x } from './generated.js';\nimport 'left-pad';\n" },
      async (project) => {
        await project.apply('move-file:a.ts=deep/er/a.ts');
        assert.equal(
          await project.read('deep/er/a.ts'),
          "import '../../style.css';\nexport { x } from '../../generated.js';\nimport 'left-pad';\n",
        );
      },
    ));

  it('refuses what is not there, is taken, is ignored or lies outside, and changes nothing', () =>
    withProject(
      { '.gitignore': 'out/\n', 'a.ts': 'export const a = 1;\n', 'b.ts': "import './a.js';\n", 'sub/c.ts': '' },
      async (project) => {
        await project.refuses('move-file:none.ts=c.ts', /no file none\.ts/);
        await project.refuses('move-file:a.ts=b.ts', /b\.ts is there already/);
        await project.refuses('move-file:a.ts=sub', /sub is there already/);
        await project.refuses('move-file:a.ts=../a.ts', /outside the workspace/);
        await project.refuses('move-file:a.ts=/etc/a.ts', /outside the workspace/);
        await project.refuses('move-file:a.ts=out/deep/a.ts', /git ignores out\/deep\/a\.ts/);
        await project.refuses('move-file:a.ts=node_modules/a.ts', /node_modules folder/);
        assert.deepEqual((await project.apply('move-file:a.ts=./a.ts')).changed, []);
      },
    ));

  it('refuses to go through a symbolic link', () =>
    withProject({ 'a.ts': 'export const a = 1;\n' }, async (project) => {
      const { symlink } = await import('node:fs/promises');
      await symlink('/tmp', join(project.root, 'away'));
      await project.refuses('move-file:a.ts=away/a.ts', /symbolic link away/);
    }));
});
