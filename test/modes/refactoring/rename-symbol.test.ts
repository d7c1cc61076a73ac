import assert from 'node:assert/strict';
import { strictConfig, withProject } from './project.ts';

describe('renaming a symbol', () => {
  it('follows imports, aliases, re-exports, namespaces, types and dynamic imports', () =>
    withProject(
      {
        'src/area.ts': 'export function calc(w: number, h: number): number {\n  return w * h;\n}\n',
        'src/barrel.ts': "export * from './area.js';\nexport { calc as surface } from './area.js';\n",
        'src/use.ts': [
          "import { calc, surface } from './barrel.js';",
          "import { calc as other } from './area.js';",
          "import * as area from './barrel.js';",
          'type Calc = typeof calc;',
          "type Far = typeof import('./area.js').calc;",
          'export const both: [Calc, Far] = [area.calc, other];',
          'export const sum = calc(1, 2) + surface(1, 1) + both[0](1, 1);',
          "export const lazy = (await import('./area.js')).calc(2, 2);",
          "const { calc: local } = await import('./barrel.js');",
          "export const third = local(1, 1) + area['calc'](1, 1);",
          '',
        ].join('\n'),
      },
      async (project) => {
        await project.apply('rename-symbol:calc=areaOf');
        const use = await project.read('src/use.ts');
        assert.equal(
          use,
          [
            "import { areaOf, surface } from './barrel.js';",
            "import { areaOf as other } from './area.js';",
            "import * as area from './barrel.js';",
            'type Calc = typeof areaOf;',
            "type Far = typeof import('./area.js').areaOf;",
            'export const both: [Calc, Far] = [area.areaOf, other];',
            'export const sum = areaOf(1, 2) + surface(1, 1) + both[0](1, 1);',
            "export const lazy = (await import('./area.js')).areaOf(2, 2);",
            "const { areaOf: local } = await import('./barrel.js');",
            "export const third = local(1, 1) + area['areaOf'](1, 1);",
            '',
          ].join('\n'),
        );
        assert.equal(
          await project.read('src/barrel.ts'),
          "export * from './area.js';\nexport { areaOf as surface } from './area.js';\n",
        );
        assert.deepEqual(await project.typeErrors(), []);
      },
    ));

  it('keeps property names of shorthands, and strings and comments, but follows links in doc comments', () =>
    withProject(
      {
        'a.ts': [
          '/** Adds. See {@link sum} and {@linkcode sum}.',
          ' * @see sum',
          ' */',
          'export const sum = (a: number, b: number): number => a + b;',
          "// sum is quick, 'sum'",
          "export const table = { sum, label: 'sum' };",
          'export const { sum: again } = table;',
          'export function unrelated(sum: number): number { return sum; }',
          '',
        ].join('\n'),
        'b.ts':
          '/** Unlike {@link sum} it subtracts. */\nexport const minus = (a: number, b: number): number => a - b;\n',
      },
      async (project) => {
        const { summary } = await project.apply('rename-symbol:a.ts#sum=add');
        assert.equal(
          await project.read('a.ts'),
          [
            '/** Adds. See {@link add} and {@linkcode add}.',
            ' * @see add',
            ' */',
            'export const add = (a: number, b: number): number => a + b;',
            "// sum is quick, 'sum'",
            "export const table = { sum: add, label: 'sum' };",
            'export const { sum: again } = table;',
            'export function unrelated(sum: number): number { return sum; }',
            '',
          ].join('\n'),
        );
        assert.match(await project.read('b.ts'), /@link add/);
        assert.match(summary, /renamed sum to add: 6 places in 2 files; 3 mentions/);
        assert.deepEqual(await project.typeErrors(), []);
      },
    ));

  it('goes through CommonJS exports, require with destructuring and aliases, and JSDoc types', () =>
    withProject(
      {
        'package.json': '{ "type": "commonjs" }',
        'lib/queue.js':
          'function pushAll(items) { return items.length; }\nclass Job {}\nmodule.exports = { pushAll, Job, limit: 3 };\n',
        'lib/more.js':
          'function late() { return 1; }\nexports.late = late;\nexports.now = function () { return late(); };\n',
        'index.js': [
          "const { pushAll, limit } = require('./lib/queue');",
          "const queue = require('./lib/queue.js');",
          "const { late, now: soon } = require('./lib/more');",
          '/** @param {import("./lib/queue").Job} job @returns {number} */',
          'const one = (job) => pushAll([job]) + queue.pushAll([]) + limit + late() + soon();',
          'module.exports.one = one;',
          'module.exports.pushAll = pushAll;',
          '',
        ].join('\n'),
        'main.js': "const main = require('./');\nconsole.log(main.one({}) + main.pushAll([1]));\n",
      },
      async (project) => {
        assert.equal(await project.node('main.js'), '7\n');
        await project.apply('rename-symbol:pushAll=enqueue');
        await project.apply('rename-symbol:Job=Task');
        await project.apply('rename-symbol:late=tardy');
        await project.apply('rename-symbol:now=immediately');
        assert.equal(await project.node('main.js'), '7\n');
        assert.equal(
          await project.read('index.js'),
          [
            "const { enqueue, limit } = require('./lib/queue');",
            "const queue = require('./lib/queue.js');",
            "const { tardy, immediately: soon } = require('./lib/more');",
            '/** @param {import("./lib/queue").Task} job @returns {number} */',
            'const one = (job) => enqueue([job]) + queue.enqueue([]) + limit + tardy() + soon();',
            'module.exports.one = one;',
            'module.exports.enqueue = enqueue;',
            '',
          ].join('\n'),
        );
        assert.match(await project.read('main.js'), /main\.enqueue/);
        assert.match(await project.read('lib/more.js'), /exports\.tardy = tardy/);
      },
    ));

  it('crosses package borders whose exports lead to files that are not built', () =>
    withProject(
      {
        'packages/core/package.json':
          '{ "name": "@x/core", "type": "module", "exports": { ".": { "types": "./dist/index.d.ts", "default": "./dist/index.js" }, "./tools/*": "./dist/tools/*.js" } }',
        'packages/core/src/index.ts': "export { load } from './load.ts';\n",
        'packages/core/src/load.ts':
          'export interface Load { kilos: number }\nexport const load = (kilos: number): Load => ({ kilos });\n',
        'packages/core/src/tools/weigh.ts': "import { load } from '../load.ts';\nexport const weigh = load;\n",
        'packages/legacy/package.json': '{ "name": "legacy", "main": "build/main.js", "types": "build/main.d.ts" }',
        'packages/legacy/tsconfig.json': '{ "compilerOptions": { "outDir": "build", "rootDir": "source" } }',
        'packages/legacy/source/main.ts':
          "export { load as legacyLoad } from '@x/core';\nexport { weigh } from '@x/core/tools/weigh';\n",
        'packages/app/app.tsx':
          "import { legacyLoad, weigh } from 'legacy';\nimport { load } from '@x/core';\nexport const App = () => <p title={String(load(1))}>{legacyLoad(2).kilos + weigh(3).kilos}</p>;\n",
      },
      async (project) => {
        await project.apply('rename-symbol:load=cargo');
        await project.apply('rename-symbol:weigh=scale');
        assert.match(
          await project.read('packages/legacy/source/main.ts'),
          /\{ cargo as legacyLoad \} from '@x\/core';\nexport \{ scale \}/,
        );
        assert.equal(
          await project.read('packages/app/app.tsx'),
          "import { legacyLoad, scale } from 'legacy';\nimport { cargo } from '@x/core';\nexport const App = () => <p title={String(cargo(1))}>{legacyLoad(2).kilos + scale(3).kilos}</p>;\n",
        );
      },
    ));

  it('renames default exports, types, enums, classes, JSX components and declaration files beside JavaScript', () =>
    withProject(
      {
        'a.ts':
          'export default function make(): Thing { return new Thing(Kind.Big); }\nexport enum Kind { Big }\nexport class Thing { constructor(readonly kind: Kind) {} }\nexport interface Kept { a: Thing }\n',
        'b.mts':
          "import make, { type Thing, Kind } from './a.js';\nexport const thing: Thing = make();\nexport const big: Kind.Big = Kind.Big;\n",
        'view.tsx':
          'export function Box(): null { return null; }\nexport const view = <Box></Box>;\ndeclare global { namespace JSX { type Element = null } }\n',
        'old.js': 'export function walk() { return 1; }\n',
        'old.d.ts': 'export declare function walk(): number;\n',
        'c.ts': "import { walk } from './old.js';\nexport const n: number = walk();\n",
        'tsconfig.json': strictConfig({ checkJs: false, jsx: 'preserve' }),
      },
      async (project) => {
        assert.deepEqual(await project.typeErrors(), []);
        await project.apply('rename-symbol:make=build');
        await project.apply('rename-symbol:Thing=Item');
        await project.apply('rename-symbol:Kind=Size');
        await project.apply('rename-symbol:Box=Frame');
        await project.apply('rename-symbol:walk=stroll');
        assert.equal(
          await project.read('b.mts'),
          "import build, { type Item, Size } from './a.js';\nexport const thing: Item = build();\nexport const big: Size.Big = Size.Big;\n",
        );
        assert.match(await project.read('view.tsx'), /<Frame><\/Frame>/);
        assert.match(await project.read('old.d.ts'), /stroll/);
        assert.match(await project.read('c.ts'), /import \{ stroll \}.*\n.*stroll\(\)/);
        assert.deepEqual(await project.typeErrors(), []);
      },
    ));

  it('renames a member of a class with what implements and reads it', () =>
    withProject(
      {
        'shape.ts':
          'export interface Shape { size(): number }\nexport class Square implements Shape { side = 2; size(): number { return this.side ** 2; } }\n',
        'use.ts':
          "import { Square, type Shape } from './shape.js';\nconst shape: Shape = new Square();\nconst { size } = shape;\nexport const all = [shape.size(), size.call(shape), ...[new Square()].map((one) => one.size())];\n",
      },
      async (project) => {
        await project.apply('rename-symbol:Shape.size=area');
        assert.match(await project.read('shape.ts'), /area\(\): number \}[^]*area\(\): number \{/);
        assert.equal(
          await project.read('use.ts'),
          "import { Square, type Shape } from './shape.js';\nconst shape: Shape = new Square();\nconst { area: size } = shape;\nexport const all = [shape.area(), size.call(shape), ...[new Square()].map((one) => one.area())];\n",
        );
        assert.deepEqual(await project.typeErrors(), []);
        await project.refuses('rename-symbol:Square.side=area', /already has a member "area"/);
        await project.refuses('rename-symbol:Square.nothing=area', /no member "nothing"/);
      },
    ));

  it('resolves tsconfig paths, also inherited ones and with comments', () =>
    withProject(
      {
        'tsconfig.base.json':
          '{ // shared\n "compilerOptions": { "paths": { "~/*": ["./app/src/*"], "#util": ["./app/src/util/index.ts"] } } }',
        'app/tsconfig.json': '{ "extends": "../tsconfig.base.json", "compilerOptions": { "strict": true } }',
        'app/src/util/index.ts': 'export const id = <T>(value: T): T => value;\n',
        'app/src/x.ts':
          "import { id } from '~/util';\nimport { id as same } from '#util';\nexport const x = id(same(1));\n",
      },
      async (project) => {
        await project.apply('rename-symbol:id=identity');
        assert.equal(
          await project.read('app/src/x.ts'),
          "import { identity } from '~/util';\nimport { identity as same } from '#util';\nexport const x = identity(same(1));\n",
        );
      },
    ));

  it('keeps line endings, byte order marks, indentation and missing last line breaks', () =>
    withProject(
      {
        'a.ts': '\uFEFFexport const old = 1;\r\n\texport const b = old;',
        'b.ts': "import { old } from './a.js';\r\nexport { old };",
      },
      async (project) => {
        await project.apply('rename-symbol:old=fresh');
        assert.equal(await project.read('a.ts'), '\uFEFFexport const fresh = 1;\r\n\texport const b = fresh;');
        assert.equal(await project.read('b.ts'), "import { fresh } from './a.js';\r\nexport { fresh };");
      },
    ));

  it('leaves ignored files, installed packages, output, links and broken text alone', () =>
    withProject(
      {
        '.gitignore': 'generated/\n',
        'a.ts': 'export const old = 1;\n',
        'generated/g.ts': 'export const old = 1;\n',
        'node_modules/m/index.ts': 'export const old = 1;\n',
        'dist/a.js': 'export const old = 1;\n',
        'build/a.js': 'export const old = 1;\n',
        'tsconfig.json': '{ "compilerOptions": { "outDir": "build" } }',
      },
      async (project) => {
        const { symlink, writeFile } = await import('node:fs/promises');
        await symlink('../..', `${project.root}/up`);
        await symlink('generated/g.ts', `${project.root}/link.ts`);
        await writeFile(`${project.root}/latin.ts`, Buffer.from([0x2f, 0x2f, 0xe9, 0x0a]));
        assert.deepEqual((await project.apply('rename-symbol:old=fresh')).changed, ['a.ts']);
        await project.refuses('rename-symbol:link.ts#old=x', /no file link\.ts/);
      },
    ));

  it('says which files declare a name that is not unique', () =>
    withProject(
      { 'a.ts': 'export const twice = 1;\n', 'b.ts': 'const twice = 2;\nexport { twice };\n' },
      async (project) => {
        await project.refuses(
          'rename-symbol:twice=once',
          /several files \(a\.ts:1, b\.ts:1\): say which one as FILE#NAME, for example a\.ts#twice/,
        );
        assert.deepEqual((await project.apply('rename-symbol:b.ts#twice=once')).changed, ['b.ts']);
        await project.refuses(
          'rename-symbol:b.ts#twice=thrice',
          /b\.ts does not declare "twice": it is declared in a\.ts/,
        );
      },
    ));

  it('refuses what would not be a name, is not there, or lies outside', () =>
    withProject({ 'a.ts': 'export const old = 1;\nexport interface Shape { a: 1 }\n' }, async (project) => {
      await project.refuses('rename-symbol:old=a b', /"a b" cannot be a name/);
      await project.refuses('rename-symbol:old=class', /"class" cannot be a name/);
      await project.refuses('rename-symbol:old=1st', /cannot be a name/);
      await project.refuses('rename-symbol:Shape=string', /cannot be the name of a type/);
      await project.refuses('rename-symbol:nothing=some', /no file of the workspace declares "nothing"/);
      await project.refuses('rename-symbol:../x.ts#old=fresh', /outside the workspace/);
      await project.refuses('rename-symbol:missing.ts#old=fresh', /no file missing\.ts/);
      assert.deepEqual((await project.apply('rename-symbol:old=old')).changed, []);
    }));

  it('refuses a name that would clash, be hidden, or hide another', () =>
    withProject(
      {
        'a.ts': 'export const old = 1;\nexport const taken = 2;\n',
        'b.ts':
          "import { old } from './a.js';\nconst mine = 3;\nexport function f(inner: number): number { return inner + old + mine; }\n",
        'c.ts': 'export const rival = 1;\n',
        'index.ts': "export * from './a.js';\nexport * from './c.js';\n",
        'd.ts': "import { old } from './a.js';\nexport const text = String(old);\n",
      },
      async (project) => {
        await project.refuses('rename-symbol:old=taken', /"taken" already means something else at a\.ts:1/);
        await project.refuses('rename-symbol:old=mine', /"mine" already means something else at b\.ts/);
        await project.refuses('rename-symbol:old=inner', /"inner" already means something else at b\.ts:3/);
        await project.refuses('rename-symbol:old=rival', /index\.ts already exports another "rival"/);
        await project.refuses('rename-symbol:old=String', /d\.ts:2 uses "String" from outside/);
      },
    ));

  it('renames a local of a named file', () =>
    withProject(
      {
        'a.ts':
          '/** @param {number} n the number */\nexport function f(n: number): number { const n2 = n; return n2; }\n',
      },
      async (project) => {
        await project.apply('rename-symbol:a.ts#n=count');
        assert.equal(
          await project.read('a.ts'),
          '/** @param {number} count the number */\nexport function f(count: number): number { const n2 = count; return n2; }\n',
        );
      },
    ));
});
