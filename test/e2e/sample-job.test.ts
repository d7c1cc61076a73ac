import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { prepareSample } from '../../examples/prepare-sample.ts';
import { makeRepository } from '../support/projects.ts';
import { type Stack, startStack, succeed } from '../support/stack.ts';

describe('the main job on the sample repository', () => {
  let stack: Stack;
  let dir: string;
  let sample: string;

  before(async () => {
    dir = await mkdtemp(join(tmpdir(), 'helix-sample-'));
    sample = await prepareSample(join(dir, 'sample'));
    stack = await startStack();
  });

  after(async () => {
    await stack?.down();
    await rm(dir, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 });
  });

  const git = async (...args: string[]): Promise<string> => (await succeed('git', args, { cwd: sample })).trim();

  it('plans, builds, tests and refactors, and publishes a branch with a kept rename', async () => {
    const { code, result, stderr } = await stack.run([
      'say what is billed',
      '--repo',
      sample,
      '--recipe',
      'rename-symbol:getWeight=billableWeight',
    ]);
    assert.equal(code, 0, `${JSON.stringify(result)}\n${stderr}`);
    assert.equal(result.type, 'result');
    assert.equal(result.status, 'succeeded');
    assert.deepEqual(Object.fromEntries(Object.entries(result.phases).map(([phase, { status }]) => [phase, status])), {
      planning: 'succeeded',
      building: 'succeeded',
      testing: 'succeeded',
      refactoring: 'succeeded',
    });
    assert.deepEqual(result.tests, { total: 32, passed: 32, failed: 0, skipped: 0 });
    assert.deepEqual(
      result.checkpoints.map(({ id, phase }) => `${id} ${phase}`),
      ['c0 source', 'c1 planning', 'c2 building', 'c3 testing', 'c4 refactoring', 'c5 refactoring'],
    );
    const changed = await git('diff', '--stat', 'HEAD', result.branch!);
    assert.match(changed, /packages\/measures/);
    assert.match(changed, /packages\/quotes/);
    await assert.rejects(git('grep', '-w', 'getWeight(', result.branch!), 'no call of the old name is left');
    assert.match(await git('grep', 'getWeight/v1', result.branch!), /getWeight\/v1/, 'a string is no reference');
    assert.equal(await git('status', '--porcelain'), '', 'the checkout is not touched');

    const diff = await stack.helix(['diff', result.jobId]);
    assert.match(diff.stdout, /^\+.*billableWeight/m);
    const plan = await succeed('curl', ['-sf', `${await api()}/v1/jobs/${result.jobId}/artifacts/plan.md`]);
    assert.match(plan, /measures/);
    const junit = await succeed('curl', ['-sf', `${await api()}/v1/jobs/${result.jobId}/artifacts/junit.xml`]);
    assert.equal([...junit.matchAll(/<testcase /g)].length, 32);

    const back = await stack.helix(['rollback', result.jobId, 'c3']);
    assert.equal(back.code, 0, back.stderr);
    assert.equal(await git('rev-parse', `${result.branch}^{tree}`), await git('rev-parse', 'HEAD^{tree}'));
    const forth = await stack.helix(['rollback', result.jobId, 'c5']);
    assert.equal(forth.code, 0, forth.stderr);
    assert.match(await git('diff', '--stat', 'HEAD', result.branch!), /packages\/measures/);

    const applied = await stack.helix(['apply', result.jobId]);
    assert.equal(applied.code, 0, applied.stderr);
    assert.equal(await git('diff', result.branch!), '', 'the working tree is what the branch holds');
    await git('checkout', '-q', '.');
    await git('clean', '-fdq');
  });

  it('answers everything from the cache the second time', async () => {
    const first = await stack.run(['--repo', sample]);
    const { result } = await stack.run(['--repo', sample]);
    assert.equal(first.code, 0);
    assert.equal(result.steps.run, 0);
    assert.equal(result.steps.cached, 7);
    assert.equal(result.tests.passed, 32);
    const fresh = await stack.run(['--repo', sample, '--no-cache', '--modes', 'building']);
    assert.deepEqual(fresh.result.steps, { run: 4, cached: 0 });
  });

  it('takes uncommitted work along and says so, and leaves it out when a ref is named', async () => {
    const copy = await prepareSample(join(dir, 'dirty'));
    const readme = await readFile(join(copy, 'README.md'), 'utf8');
    await succeed('sh', ['-c', 'echo "// more" >> packages/measures/src/index.ts && echo x > untracked.txt'], {
      cwd: copy,
    });
    const { result } = await stack.run(['--repo', copy, '--modes', 'planning']);
    assert.match(result.checkpoints[0]!.title, /uncommitted/);
    assert.match(
      await succeed('git', ['ls-tree', '-r', '--name-only', result.branch!], { cwd: copy }),
      /untracked\.txt/,
    );
    const committed = await stack.run(['--repo', copy, '--ref', 'HEAD', '--modes', 'planning']);
    assert.doesNotMatch(
      await succeed('git', ['ls-tree', '-r', '--name-only', committed.result.branch!], { cwd: copy }),
      /untracked\.txt/,
    );
    assert.equal(await readFile(join(copy, 'README.md'), 'utf8'), readme);
  });

  it('rolls a recipe back by itself, with the reason, when a test breaks', async () => {
    const repository = await makeRepository(join(dir, 'by-name'), {
      'package.json': JSON.stringify(
        { name: 'by-name', version: '1.0.0', private: true, type: 'module', scripts: { test: 'node --test' } },
        null,
        2,
      ),
      'lib.js': 'export function area(w, h) {\n  return w * h;\n}\n',
      'lib.test.js':
        "import test from 'node:test';\nimport assert from 'node:assert';\nimport * as lib from './lib.js';\n\ntest('by its name', () => assert.equal(lib['ar' + 'ea'](2, 3), 6));\n",
    });
    const { code, result } = await stack.run(['--repo', repository, '--recipe', 'rename-symbol:area=surface']);
    assert.equal(code, 1);
    assert.equal(result.phases.refactoring!.status, 'rolled-back');
    assert.match(result.phases.refactoring!.summary, /rolled back because .*by its name/s);
    assert.equal(result.snapshot, result.checkpoints[0]!.snapshot);
  });

  it('says why a recipe cannot be applied', async () => {
    const { code, result } = await stack.run([
      '--repo',
      sample,
      '--recipe',
      'rename-symbol:noSuchThing=other',
      '--modes',
      'refactoring',
    ]);
    assert.equal(code, 1);
    assert.match(result.reason!.message, /noSuchThing/);
  });

  it('fetches a repository by its address and gives the result as a patch', async () => {
    const origin = join(dir, 'origin');
    await prepareSample(origin);
    const { code, result } = await stack.run([
      '--repo',
      `file://${origin}`,
      '--recipe',
      'rename-symbol:getWeight=billableWeight',
    ]);
    assert.equal(code, 0, JSON.stringify(result));
    assert.equal(result.branch, null);
    assert.match((await stack.helix(['diff', result.jobId])).stdout, /billableWeight/);
    await assert.rejects(succeed('git', ['rev-parse', '--verify', 'helix/x'], { cwd: origin }));
  });

  const api = async (): Promise<string> => (await stack.status()).find(({ name }) => name === 'helix')!.address!;
});
