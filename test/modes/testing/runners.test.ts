import assert from 'node:assert/strict';
import { readFile, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { readTestReport } from '../../../modes/testing/report.ts';
import type { TestReport } from '../../../modes/testing/report.ts';

const fixtures = join(import.meta.dirname, 'fixtures');

async function reportOf(name: string, files: string[] = []): Promise<TestReport> {
  const log = await readFile(join(fixtures, name), 'utf8');
  const contents = await Promise.all(files.map(async (file) => [file, await readFile(join(fixtures, file))] as const));
  return readTestReport({ task: name, log, exitCode: 1, end: 'exited', files: new Map(contents) });
}

/** Output of real runs, with the numbers that the runner itself gives for it. */
const runs: [file: string, runner: string, counts: [passed: number, failed: number, skipped: number]][] = [
  ['ava-tap.log', 'tap', [2, 2, 1]],
  ['ava.log', 'ava', [1, 1, 3]],
  ['cargo.log', 'cargo test', [3, 1, 1]],
  ['ctest.log', 'ctest', [1, 1, 2]],
  ['go-json.log', 'go test', [2, 2, 1]],
  ['go-plain.log', 'go test', [0, 2, 0]],
  ['go-v.log', 'go test', [2, 2, 1]],
  ['gtest.log', 'googletest', [1, 1, 1]],
  ['jasmine.log', 'jasmine', [2, 1, 1]],
  ['jest-verbose.log', 'jest', [3, 0, 2]],
  ['jest.log', 'jest', [5, 1, 4]],
  ['line-reporter.log', 'line-reporter', [331, 0, 0]],
  ['mocha-dot.log', 'mocha', [4, 2, 2]],
  ['mocha-tap.log', 'tap', [4, 2, 2]],
  ['mocha.log', 'mocha', [4, 2, 2]],
  ['node-tap-16.log', 'tap', [2, 1, 1]],
  ['node-test-spec.log', 'node:test', [6, 1, 2]],
  ['node-test-tap.log', 'tap', [6, 1, 2]],
  ['pytest-q.log', 'pytest', [4, 2, 2]],
  ['pytest.log', 'pytest', [4, 2, 2]],
  ['surefire.log', 'surefire', [2, 2, 1]],
  ['tape.log', 'tap', [4, 1, 0]],
  ['unittest.log', 'unittest', [1, 3, 2]],
  ['uvu.log', 'uvu', [2, 1, 1]],
  ['vitest-verbose.log', 'vitest', [3, 1, 2]],
  ['vitest.log', 'vitest', [3, 1, 2]],
];

describe('output of test runners', () => {
  for (const [file, runner, [passed, failed, skipped]] of runs) {
    it(`${file}: ${passed} passed, ${failed} failed, ${skipped} skipped`, async () => {
      const report = await reportOf(file);
      assert.equal(report.recognised, runner);
      assert.deepEqual(report.counts, { total: passed + failed + skipped, passed, failed, skipped });
    });
  }

  it('of which every failed test is named with what went wrong', async () => {
    const silent = new Set(['go-json.log', 'go-plain.log', 'go-v.log', 'surefire.log']);
    for (const [file, , [, failed]] of runs) {
      if (silent.has(file) || file === 'ava-tap.log') continue;
      const cases = (await reportOf(file)).cases.filter((each) => each.status === 'failed');
      assert.equal(cases.length, failed, `${file} lists its failed tests`);
      for (const each of cases)
        assert.ok(each.name && each.message && each.output, `${file}: ${each.name} has a message and output`);
    }
  });

  it('names suites and tests as their authors wrote them', async () => {
    const named = async (file: string): Promise<string[]> =>
      (await reportOf(file)).cases.map((each) => `${each.status}: ${each.suite} / ${each.name}`);
    assert.deepEqual(await named('mocha.log'), [
      'passed:  / stands alone',
      'passed: math / adds',
      'passed: math / is slow',
      'failed: math / breaks',
      'skipped: math / is left out',
      'skipped: math / is pending',
      'passed: math > deep / goes on',
      'failed: math > deep / breaks too',
    ]);
    assert.deepEqual(await named('node-test-spec.log'), [
      'passed:  / adds',
      'passed: math / multiplies',
      'failed: math / breaks',
      'skipped: math / is left out',
      'passed: math > deep / goes on',
      'skipped: math > deep / is to be written',
      'passed: with parts / first part',
      'passed: with parts / second part',
    ]);
    assert.deepEqual(await named('unittest.log'), [
      'passed: test_u.Math / test_adds',
      'skipped: test_u.Math / test_known',
      'skipped: test_u.Math / test_left_out',
      'failed: test_u.Math / test_raises',
      'failed: test_u.Math / test_breaks',
      'failed: test_u.Math / test_parts (n=1)',
    ]);
    assert.deepEqual(await named('cargo.log'), [
      'passed: src/lib.rs / tests::adds',
      'skipped: src/lib.rs / tests::is_left_out',
      'failed: src/lib.rs / tests::breaks',
      'passed: tests/outside.rs / outside',
      'passed: Doc-tests calc / src/lib.rs - add (line 3)',
    ]);
  });

  it('takes the cases of JUnit XML files and the counts of the log', async () => {
    const pytest = await reportOf('pytest.log', ['pytest.xml']);
    assert.equal(pytest.cases.length, 8);
    assert.deepEqual(pytest.counts, { total: 8, passed: 4, failed: 2, skipped: 2 });
    const files = (await readdir(join(fixtures, 'surefire'))).map((name) => join('surefire', name));
    const surefire = await reportOf('surefire.log', files);
    assert.deepEqual(surefire.counts, { total: 5, passed: 2, failed: 2, skipped: 1 });
    assert.deepEqual(
      surefire.cases.filter((each) => each.status === 'failed').map((each) => [each.suite, each.name, each.message]),
      [
        ['x.BTest', 'breaks', 'one is not two expected:<2> but was:<1>'],
        ['x.BTest', 'raises', 'bad state'],
      ],
    );
    const ctest = await reportOf('ctest.log', ['ctest.xml']);
    assert.deepEqual(ctest.counts, { total: 4, passed: 1, failed: 1, skipped: 2 });
  });

  it('counts JUnit XML alone where the log says nothing', async () => {
    const content = await readFile(join(fixtures, 'pytest.xml'));
    const report = readTestReport({
      task: 't',
      log: 'BUILD FAILED',
      exitCode: 1,
      end: 'exited',
      files: new Map([['a.xml', content]]),
    });
    assert.equal(report.recognised, 'junit');
    assert.deepEqual(report.counts, { total: 8, passed: 4, failed: 2, skipped: 2 });
  });
});

describe('a log with several runs', () => {
  it('adds them up, one runner after another', async () => {
    const names = ['mocha.log', 'jest.log', 'tape.log', 'node-test-spec.log', 'pytest.log', 'tape.log', 'vitest.log'];
    const logs = await Promise.all(names.map((name) => readFile(join(fixtures, name), 'utf8')));
    const report = readTestReport({
      task: 't',
      log: `> lint\n> eslint .\n\n${logs.join('\n')}`,
      exitCode: 1,
      end: 'exited',
      files: new Map(),
    });
    assert.equal(report.recognised, 'mocha + jest + tap + node:test + pytest + vitest');
    assert.deepEqual(report.counts, { total: 51, passed: 30, failed: 9, skipped: 12 });
    const failed = report.cases.filter((each) => each.status === 'failed');
    assert.equal(failed.length, 9);
    assert.ok(failed.every((each) => each.message && each.output));
  });

  it('does not count a runner inside another runner', async () => {
    const report = await reportOf('ctest.log');
    assert.equal(report.recognised, 'ctest');
  });
});

describe('a log that no runner wrote', () => {
  it('gives no tests, whatever the exit code', async () => {
    for (const name of ['missing-linter.log', 'node-test-dot.log']) {
      const report = await reportOf(name);
      assert.equal(report.recognised, null);
      assert.deepEqual(report.counts, { total: 0, passed: 0, failed: 0, skipped: 0 });
      assert.equal(report.failure, 'the command ended with exit code 1');
    }
  });

  it('says how the command was ended', () => {
    const failureOf = (end: 'timeout' | 'log-limit' | 'install-failed'): string | undefined =>
      readTestReport({ task: 't', log: '', exitCode: null, end, files: new Map() }).failure;
    assert.match(failureOf('timeout') ?? '', /time limit/);
    assert.match(failureOf('log-limit') ?? '', /log/);
    assert.match(failureOf('install-failed') ?? '', /dependencies/);
  });
});
