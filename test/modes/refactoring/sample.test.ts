import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdir, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { HelixError } from '../../../contracts/error.ts';
import { prepareSample } from '../../../examples/prepare-sample.ts';
import { withTempDir } from '../../support/temp-dir.ts';
import { Project } from './project.ts';

const run = promisify(execFile);
const compiler = join(import.meta.dirname, '../../../node_modules/typescript');
const packages = ['measures', 'tariffs', 'quotes'];

async function head(repository: string): Promise<string> {
  const { stdout } = await run('git', ['-C', repository, 'log', '-1', '--format=%H %an']);
  return stdout.trim();
}

describe('the sample repository', () => {
  it('is made with the same commit everywhere, and left alone afterwards', () =>
    withTempDir(async (dir) => {
      const first = await prepareSample(join(dir, 'home/sample'));
      const second = await prepareSample(join(dir, 'other'));
      assert.equal(first, join(dir, 'home/sample'));
      assert.match(await head(first), /^[0-9a-f]{40} HelixCode$/);
      assert.equal(await head(first), await head(second));
      const { stdout } = await run('git', ['-C', first, 'status', '--porcelain']);
      assert.equal(stdout, '');
      await writeFile(join(first, 'README.md'), 'mine');
      await prepareSample(first);
      assert.equal(await new Project(first).read('README.md'), 'mine');
    }));

  it('is made by two starts at once', () =>
    withTempDir(async (dir) => {
      const target = join(dir, 'sample');
      assert.deepEqual(await Promise.all([prepareSample(target), prepareSample(target), prepareSample(target)]), [
        target,
        target,
        target,
      ]);
      assert.match(await head(target), /HelixCode/);
    }));

  it('is made anew when git cannot read it, but never in place of something else', () =>
    withTempDir(async (dir) => {
      const target = await prepareSample(join(dir, 'sample'));
      const commit = await head(target);
      await rm(join(target, '.git/objects'), { recursive: true });
      await prepareSample(target);
      assert.equal(await head(target), commit);
      await rm(join(target, 'package.json'));
      await prepareSample(target);
      assert.equal(await head(target), commit);
      await mkdir(join(dir, 'mine'));
      await writeFile(join(dir, 'mine/thesis.txt'), 'years of work');
      await assert.rejects(
        prepareSample(join(dir, 'mine')),
        (error) => error instanceof HelixError && /holds something else/.test(error.message),
      );
    }));

  it('has 32 tests, which pass before and after the rename of its README', () =>
    withTempDir(async (dir) => {
      const sample = new Project(await prepareSample(join(dir, 'sample')));
      // What `npm ci` makes, with the compiler at hand.
      await mkdir(join(sample.root, 'node_modules/@parcel-desk'), { recursive: true });
      for (const name of packages)
        await symlink(`../../packages/${name}`, join(sample.root, `node_modules/@parcel-desk/${name}`));
      assert.deepEqual(await buildAndTest(sample), { passed: 32, failed: 0 });
      const { changed } = await sample.apply('rename-symbol:getWeight=billableWeight');
      assert.deepEqual(new Set(changed.map((path) => path.split('/')[1])), new Set(packages));
      const sources = Object.entries(await sample.contents()).filter(([path]) => changed.includes(path));
      const left = sources.flatMap(([, text]) => text.split('\n').filter((line) => line.includes('getWeight')));
      assert.ok(left.length > 0 && left.every((line) => /'getWeight(\/v1)?'/.test(line)), left.join('\n'));
      assert.deepEqual(await buildAndTest(sample), { passed: 32, failed: 0 });
      await sample.apply('move-file:packages/measures/src/weight.ts=packages/measures/src/weighing/weight.ts');
      await sample.apply('move-symbol:packages/quotes/src/format.ts#formatPrice=packages/quotes/src/price.ts');
      await sample.apply('organise-imports');
      assert.deepEqual(await buildAndTest(sample), { passed: 32, failed: 0 });
    }));
});

async function buildAndTest(sample: Project): Promise<{ passed: number; failed: number }> {
  const counts = { passed: 0, failed: 0 };
  for (const name of packages) {
    await rm(join(sample.root, 'packages', name, 'dist'), { recursive: true, force: true });
    await run(process.execPath, [join(compiler, 'bin/tsc'), '-p', join(sample.root, 'packages', name)]);
    const { stdout } = await run(process.execPath, ['--test', '--test-reporter=tap'], {
      cwd: join(sample.root, 'packages', name),
    });
    counts.passed += Number(/^# pass (\d+)$/m.exec(stdout)?.[1]);
    counts.failed += Number(/^# fail (\d+)$/m.exec(stdout)?.[1]);
  }
  return counts;
}
