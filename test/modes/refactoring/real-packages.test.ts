import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { withTempDir } from '../../support/temp-dir.ts';
import { Project } from './project.ts';

const run = promisify(execFile);

/** Runs `use` with a package as published, unpacked; only the named entries of it if given. */
async function withPackage(spec: string, entries: string[], use: (project: Project) => Promise<void>): Promise<void> {
  await withTempDir(async (dir) => {
    await run('npm', ['pack', '--silent', '--pack-destination', dir, spec], { cwd: dir });
    const tarball = (await readdir(dir)).find((name) => name.endsWith('.tgz'))!;
    await run('tar', ['xzf', tarball, ...entries.map((entry) => `package/${entry}`)], { cwd: dir });
    await use(new Project(join(dir, 'package')));
  });
}

const sourcesConfig = (paths: Record<string, string[]>) =>
  JSON.stringify({
    compilerOptions: {
      target: 'es2022',
      lib: ['es2022', 'dom'],
      module: 'esnext',
      moduleResolution: 'bundler',
      strict: true,
      noEmit: true,
      skipLibCheck: true,
      types: [],
      allowImportingTsExtensions: true,
      paths,
    },
    include: ['src'],
    exclude: ['src/**/tests', 'src/**/benchmarks'],
  });

describe('recipes on packages nobody here wrote', () => {
  it('rename, move and organise the 300 sources of rxjs without a type error', () =>
    withPackage('rxjs@7.8.2', ['src', 'package.json', 'tsconfig.json'], async (project) => {
      await project.write({ 'check.json': sourcesConfig({ rxjs: ['./src/index.ts'], 'rxjs/*': ['./src/*'] }) });
      const before = (await project.typeErrors('check.json')).length;
      const check = async () => assert.equal((await project.typeErrors('check.json')).length, before);
      const renamed = await project.apply('rename-symbol:mergeMap=flatMapAll');
      assert.equal(
        renamed.summary,
        'renamed mergeMap to flatMapAll: 37 places in 16 files; 17 mentions in strings and comments left as they are',
      );
      await check();
      assert.equal(
        (await project.apply('move-file:src/internal/Observable.ts=src/internal/core/observable.ts')).changed.length,
        81,
      );
      await check();
      await project.apply('move-symbol:src/internal/util/isObservable.ts#isObservable=src/internal/util/isFunction.ts');
      await check();
      assert.ok((await project.apply('organise-imports')).changed.length > 100);
      await check();
      await project.apply('rename-symbol:Subscriber.isStopped=hasStopped');
      await check();
    }));

  it('rename through the namespaces of zod', () =>
    withPackage('zod@4.1.12', ['src', 'package.json'], async (project) => {
      await project.write({ 'check.json': sourcesConfig({ 'zod/*': ['./src/*'] }) });
      const before = (await project.typeErrors('check.json')).length;
      const { changed } = await project.apply('rename-symbol:src/v4/core/util.ts#joinValues=joinPrimitives');
      assert.ok(changed.length > 40, `${changed.length} files changed`);
      const left = Object.entries(await project.contents()).filter(([, text]) => /\bjoinValues\b/.test(text));
      // Version 3 has a function of its own by that name.
      assert.deepEqual(
        left.map(([path]) => path).filter((path) => !path.startsWith('src/v3/')),
        [],
      );
      assert.equal((await project.typeErrors('check.json')).length, before);
      await project.refuses(
        'move-symbol:src/v4/core/util.ts#cleanRegex=src/v4/core/regex.ts',
        /exports all of src\/v4\/core\/util\.ts as a namespace/,
      );
    }));

  it('rename in the CommonJS of fastq, and it still runs', () =>
    withPackage('fastq@1.19.1', [], async (project) => {
      await project.write({
        'node_modules/reusify/index.js': `module.exports = (Thing) => ({ get: () => new Thing(), release: () => {} });\n`,
        'main.mjs': `import fastq from './queue.js';\nconst queue = fastq.promise(async (n) => n * 2, 1);\nconsole.log(await queue.push(21));\n`,
      });
      assert.equal(await project.node('main.mjs'), '42\n');
      const { changed } = await project.apply('rename-symbol:queue.js#queueAsPromised=promiseQueue');
      assert.deepEqual(changed, ['example.mjs', 'queue.js']);
      assert.deepEqual((await project.apply('rename-symbol:queue.js#Task=Job')).changed, ['queue.js']);
      await project.apply('move-file:queue.js=lib/queue.js');
      assert.match(await project.read('package.json'), /"main": "lib\/queue\.js"/);
      assert.match(
        await project.read('test/test.js'),
        /require\('\.\.\/'\)|require\('\.\.\/lib\/queue'\)|require\('\.\.'\)/,
      );
      assert.match(await project.read('main.mjs'), /'\.\/lib\/queue\.js'/);
      assert.equal(await project.node('main.mjs'), '42\n');
      assert.equal(await project.node('-e', "console.log(typeof require('./'))"), 'function\n');
    }));
});
