import assert from 'node:assert/strict';
import { strictConfig, withProject } from './project.ts';

describe('moving a symbol', () => {
  it('carries the imports it needs, takes away those only it needed, and mends all users', () =>
    withProject(
      {
        'src/a.ts': [
          '/*! licence */',
          '',
          "import { join, sep } from './path.js';",
          "import type { Options } from './types.js';",
          '',
          'export const base = 1;',
          '',
          '/** Joins twice. */',
          'export function twice(text: string, options?: Options): string {',
          '  return join(text, text, base, options);',
          '}',
          '',
          'export const four = (text: string): string => twice(twice(text)) + sep;',
          '',
        ].join('\n'),
        'src/path.ts':
          "import type { Options } from './types.js';\nexport const sep = '/';\nexport const join = (a: string, b: string, n: number, _o?: Options): string => a + b + n;\n",
        'src/types.ts': 'export interface Options { deep: boolean }\n',
        'src/users/one.ts': "import { four, twice } from '../a.js';\nexport const one = twice('1') + four('2');\n",
        'src/users/two.ts': "import { twice as again } from '../a.js';\nexport const two = again('2');\n",
        'src/users/three.ts': "import * as a from '../a.js';\nexport const three = a.twice('3') + a.four('4');\n",
        'src/users/four.ts':
          "export const lazy = (await import('../a.js')).twice('4');\nconst { twice } = await import('../a.js');\nexport type T = typeof import('../a.js').twice;\nexport const t: T = twice;\n",
        'src/index.ts': "export * from './a.js';\n",
        'src/named.ts': "export { four, twice as zweimal } from './a.js';\n",
        'src/last.ts':
          "import { twice } from './index.js';\nimport { zweimal } from './named.js';\nexport const last = twice('5') + zweimal('6');\n",
      },
      async (project) => {
        assert.deepEqual(await project.typeErrors(), []);
        const { changed } = await project.apply('move-symbol:src/a.ts#twice=src/text/twice.ts');
        assert.deepEqual(await project.typeErrors(), []);
        assert.equal(
          await project.read('src/text/twice.ts'),
          [
            "import { base } from '../a.js';",
            "import { join } from '../path.js';",
            "import type { Options } from '../types.js';",
            '',
            '/** Joins twice. */',
            'export function twice(text: string, options?: Options): string {',
            '  return join(text, text, base, options);',
            '}',
            '',
          ].join('\n'),
        );
        assert.equal(
          await project.read('src/a.ts'),
          [
            '/*! licence */',
            '',
            "import { sep } from './path.js';",
            "import { twice } from './text/twice.js';",
            '',
            'export const base = 1;',
            '',
            'export const four = (text: string): string => twice(twice(text)) + sep;',
            '',
          ].join('\n'),
        );
        assert.equal(
          await project.read('src/users/one.ts'),
          "import { four } from '../a.js';\nimport { twice } from '../text/twice.js';\nexport const one = twice('1') + four('2');\n",
        );
        assert.equal(
          await project.read('src/users/two.ts'),
          "import { twice as again } from '../text/twice.js';\nexport const two = again('2');\n",
        );
        assert.equal(
          await project.read('src/users/three.ts'),
          "import * as a from '../a.js';\nimport { twice } from '../text/twice.js';\nexport const three = twice('3') + a.four('4');\n",
        );
        assert.equal(
          await project.read('src/index.ts'),
          "export * from './a.js';\nexport { twice } from './text/twice.js';\n",
        );
        assert.equal(
          await project.read('src/named.ts'),
          "export { four } from './a.js';\nexport { twice as zweimal } from './text/twice.js';\n",
        );
        assert.ok(!changed.includes('src/last.ts'));
      },
    ));

  it('moves into a file that has imports of its own and uses the symbol already', () =>
    withProject(
      {
        'a.ts':
          "import { readFile } from './fs.js';\nimport * as fs from './fs.js';\n\n// what is read\nexport type Text = string;\n\nexport function load(path: string): Text {\n  return readFile(path) + fs.stat(path);\n}\n",
        'b.ts':
          "import { load, type Text } from './a.js';\nimport {\n  stat,\n} from './fs.js';\n\nexport const all = (paths: string[]): Text[] => paths.map(load);\nexport const size = stat('x');",
        'fs.ts':
          'export const readFile = (path: string): string => path;\nexport const stat = (path: string): number => path.length;\n',
      },
      async (project) => {
        await project.apply('move-symbol:a.ts#load=b.ts');
        assert.equal(
          await project.read('b.ts'),
          "import { type Text } from './a.js';\nimport {\n  stat,\n  readFile,\n} from './fs.js';\nimport * as fs from './fs.js';\n\nexport const all = (paths: string[]): Text[] => paths.map(load);\nexport const size = stat('x');\n\nexport function load(path: string): Text {\n  return readFile(path) + fs.stat(path);\n}\n",
        );
        assert.equal(await project.read('a.ts'), '// what is read\nexport type Text = string;\n');
        assert.deepEqual(await project.typeErrors(), []);
      },
    ));

  it('moves types as types, overloads together, and adds the export its list had', () =>
    withProject(
      {
        'tsconfig.json': strictConfig({ verbatimModuleSyntax: true }),
        'a.ts':
          'interface Point { x: number }\nfunction at(x: number): Point;\nfunction at(x: string): Point;\nfunction at(x: number | string): Point {\n  return { x: Number(x) };\n}\nexport { at, type Point };\n',
        'b.ts': "import type { Point } from './a.js';\nimport { at } from './a.js';\nexport const p: Point = at(1);\n",
        'index.ts': "export * from './a.js';\n",
      },
      async (project) => {
        assert.deepEqual(await project.typeErrors(), []);
        await project.apply('move-symbol:a.ts#Point=point.ts');
        assert.equal(await project.read('point.ts'), 'export interface Point { x: number }\n');
        assert.deepEqual(await project.typeErrors(), []);
        assert.match(await project.read('index.ts'), /export type \{ Point \} from '\.\/point\.js'/);
        await project.apply('move-symbol:a.ts#at=point.ts');
        assert.deepEqual(await project.typeErrors(), []);
        assert.equal((await project.read('point.ts')).match(/export function at/g)?.length, 3);
        assert.equal(await project.read('a.ts'), 'export {};\n');
      },
    ));

  it('leaves the interface of a package as it was', () =>
    withProject(
      {
        'packages/core/package.json': '{ "name": "core", "type": "module", "exports": "./dist/index.js" }',
        'packages/core/src/index.ts': 'export const one = 1;\nexport const two = 2;\n',
        'packages/app/use.ts': "import { one, two } from 'core';\nexport const three = one + two;\n",
      },
      async (project) => {
        const { summary } = await project.apply('move-symbol:packages/core/src/index.ts#two=packages/core/src/two.ts');
        assert.match(summary, /still exports it/);
        assert.equal(
          await project.read('packages/core/src/index.ts'),
          "export { two } from './two.js';\n\nexport const one = 1;\n",
        );
        assert.match(await project.read('packages/app/use.ts'), /import \{ one, two \} from 'core'/);
      },
    ));

  it('keeps line endings, quotes and missing semicolons', () =>
    withProject(
      {
        'a.ts': 'import { x } from "./x.js"\r\n\r\nexport const a = x\r\n\r\nexport const b = x + 1\r\n',
        'x.ts': 'export const x = 1\n',
        'c.ts': 'export const c = 1\n',
      },
      async (project) => {
        await project.apply('move-symbol:a.ts#b=b.ts');
        assert.equal(await project.read('b.ts'), 'import { x } from "./x.js"\r\n\r\nexport const b = x + 1\r\n');
        assert.equal(await project.read('a.ts'), 'import { x } from "./x.js"\r\n\r\nexport const a = x\r\n');
        await project.apply('move-symbol:a.ts#a=c.ts');
        assert.equal(
          await project.read('c.ts'),
          "import { x } from './x.js'\n\nexport const c = 1\n\nexport const a = x\n",
        );
      },
    ));

  it('refuses, and changes nothing, when something would be missing, hidden or doubled', () =>
    withProject(
      {
        'a.ts':
          "import { n } from './n.js';\nconst hidden = 1;\nexport const uses = hidden;\nexport const twin = 1, other = 2;\nexport default function main(): void {}\nconst local = 3;\nexport const fine = n + local * 0;\nexport const plain = n;\nexport const free = 1;\n",
        'n.ts': 'export const n = 1;\n',
        'b.ts': 'export const plain = 1;\n',
        'c.ts': 'export const n = 2;\n',
        'd.ts': "import * as all from './a.js';\nexport { all };\nexport const free = all.free;\n",
        'e.cjs': 'const f = () => 1;\nmodule.exports = { f };\n',
        'ns.ts': "export * as everything from './n.js';\n",
      },
      async (project) => {
        await project.refuses('move-symbol:a.ts#uses=z.ts', /"uses" uses "hidden", which a\.ts does not export/);
        await project.refuses('move-symbol:a.ts#twin=z.ts', /declares "twin" together with other names/);
        await project.refuses('move-symbol:a.ts#main=z.ts', /default export/);
        await project.refuses('move-symbol:a.ts#local=z.ts', /does not export "local"/);
        await project.refuses('move-symbol:a.ts#none=z.ts', /a\.ts does not declare "none"/);
        await project.refuses('move-symbol:a.ts#plain=b.ts', /b\.ts declares "plain" already/);
        await project.refuses('move-symbol:a.ts#plain=c.ts', /c\.ts has something else called "n"/);
        await project.refuses('move-symbol:a.ts#free=z.ts', /d\.ts:3 uses "free"/);
        await project.refuses('move-symbol:a.ts#free=z.js', /JavaScript and a\.ts is TypeScript/);
        await project.refuses('move-symbol:a.ts#free=z.txt', /no TypeScript or JavaScript file/);
        await project.refuses('move-symbol:e.cjs#f=z.cjs', /CommonJS/);
        await project.refuses('move-symbol:n.ts#n=z.ts', /exports all of n\.ts as a namespace/);
        assert.deepEqual((await project.apply('move-symbol:a.ts#free=a.ts')).changed, []);
      },
    ));
});
