import assert from 'node:assert/strict';
import { compareChecks, countDiagnostics } from '../../../modes/refactoring/verdict.ts';
import type { CheckOutcome } from '../../../modes/refactoring/verdict.ts';

const build: CheckOutcome = { task: 'build:core', kind: 'build', succeeded: true, failedTests: [], diagnostics: 0 };
const test = (passed: number, failedTests: string[] = [], skipped = 0): CheckOutcome => ({
  task: 'test:core',
  kind: 'test',
  succeeded: failedTests.length === 0,
  tests: { total: passed + failedTests.length + skipped, passed, failed: failedTests.length, skipped },
  failedTests,
  diagnostics: 0,
});

describe('the verdict on a change', () => {
  it('is to keep what made nothing worse', () => {
    assert.deepEqual(compareChecks([build, test(3)], [build, test(3)]), { keep: true, reasons: [] });
    assert.deepEqual(compareChecks([], []), { keep: true, reasons: [] });
  });

  it('is to keep when what failed before still fails the same way, or passes now', () => {
    assert.equal(compareChecks([test(3, ['old trouble'])], [test(3, ['old trouble'])]).keep, true);
    assert.equal(compareChecks([test(3, ['old trouble'])], [test(4)]).keep, true);
    assert.equal(
      compareChecks([{ ...build, succeeded: false, diagnostics: 4 }], [{ ...build, succeeded: false, diagnostics: 3 }])
        .keep,
      true,
    );
  });

  it('is against a task that fails now', () => {
    assert.deepEqual(compareChecks([build], [{ ...build, succeeded: false }]).reasons, [
      'build:core (build) succeeded before the change and fails after it.',
    ]);
  });

  it('is against tests that fail now, whether they passed before or are new', () => {
    assert.deepEqual(compareChecks([test(3, ['old trouble'])], [test(2, ['old trouble', 'adds up'])]).reasons, [
      'test:core: the test "adds up" fails now.',
    ]);
    assert.deepEqual(compareChecks([test(1, ['same name'])], [test(0, ['same name', 'same name'])]).reasons, [
      'test:core: the test "same name" fails now.',
    ]);
    assert.match(
      compareChecks([test(9)], [test(5, ['a', 'b', 'c', 'd'])]).reasons[0]!,
      /the tests "a", "b", "c" and 1 more fail now/,
    );
  });

  it('is against fewer tests, skipped ones not counted', () => {
    assert.deepEqual(compareChecks([test(3)], [test(2)]).reasons, ['test:core: only 2 tests ran, 3 did before.']);
    assert.deepEqual(compareChecks([test(3)], [test(2, [], 1)]).reasons, [
      'test:core: only 2 tests ran, 3 did before.',
    ]);
  });

  it('is against failed tests without names', () => {
    const nameless = { ...test(2), tests: { total: 3, passed: 2, failed: 1, skipped: 0 }, succeeded: false };
    assert.deepEqual(compareChecks([test(3)], [nameless]).reasons, ['test:core: 1 test failed, 0 did before.']);
  });

  it('is against more type errors, also where the task failed before', () => {
    const before = { ...build, succeeded: false, diagnostics: 2 };
    assert.deepEqual(compareChecks([before], [{ ...before, diagnostics: 3 }]).reasons, [
      'build:core: 3 type errors, 2 before.',
    ]);
  });

  it('is against a check that could not be made any more, and a new task that fails', () => {
    assert.match(compareChecks([build], []).reasons[0]!, /build:core was checked before the change and could not be/);
    assert.equal(compareChecks([], [{ ...build, succeeded: false }]).keep, false);
    assert.equal(compareChecks([], [build]).keep, true);
  });
});

describe('counting type errors', () => {
  it('counts each error of a log once, plain, pretty and coloured', () => {
    assert.equal(
      countDiagnostics("a.ts(1,2): error TS2304: Cannot find name 'x'.\r\nb.ts(3,4): error TS1005: ';' expected.\n"),
      2,
    );
    assert.equal(
      countDiagnostics(
        '\u001b[96ma.ts\u001b[0m:\u001b[93m1\u001b[0m:2 - \u001b[91merror\u001b[0m\u001b[90m TS2304: \u001b[0mCannot\n\n1 x\n\nFound 1 error.\n',
      ),
      1,
    );
    assert.equal(countDiagnostics('error TS18003: No inputs were found\n'), 1);
    assert.equal(countDiagnostics('the error TS2304 is well known\nnpm error code 2\n'), 0);
    assert.equal(countDiagnostics(''), 0);
  });
});
