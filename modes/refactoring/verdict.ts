import { stripVTControlCharacters } from 'node:util';
import type { TestCounts } from '../../contracts/job.ts';

/** What one task of the plan came to, before or after a change. */
export interface CheckOutcome {
  task: string;
  kind: 'build' | 'test' | 'check';
  succeeded: boolean;
  tests?: TestCounts;
  /** Names of the tests that failed. */
  failedTests: string[];
  /** Number of type errors in the task's log, see `countDiagnostics`. */
  diagnostics: number;
}

/**
 * Says whether a change may be kept: only when nothing got worse. What failed before and fails the same way now is no
 * reason against it. `reasons` are sentences for people, empty exactly when `keep` is true.
 */
export function compareChecks(before: CheckOutcome[], after: CheckOutcome[]): { keep: boolean; reasons: string[] } {
  const reasons = before.flatMap((old) => {
    const now = after.find((outcome) => outcome.task === old.task);
    return now
      ? whatGotWorse(old, now)
      : [`${old.task} was checked before the change and could not be checked after it.`];
  });
  for (const now of after) {
    if (before.some((old) => old.task === now.task)) continue;
    reasons.push(
      ...whatGotWorse({ task: now.task, kind: now.kind, succeeded: true, failedTests: [], diagnostics: 0 }, now),
    );
  }
  return { keep: reasons.length === 0, reasons };
}

function whatGotWorse(old: CheckOutcome, now: CheckOutcome): string[] {
  const reasons: string[] = [];
  const newlyFailed = addedNames(old.failedTests, now.failedTests);
  if (newlyFailed.length > 0) reasons.push(`${now.task}: ${namedTests(newlyFailed)} now.`);
  else if ((now.tests?.failed ?? 0) > (old.tests?.failed ?? 0)) {
    reasons.push(`${now.task}: ${count(now.tests!.failed, 'test')} failed, ${old.tests?.failed ?? 0} did before.`);
  }
  const ranBefore = executed(old.tests);
  const ranNow = executed(now.tests);
  if (ranNow < ranBefore) reasons.push(`${now.task}: only ${count(ranNow, 'test')} ran, ${ranBefore} did before.`);
  if (now.diagnostics > old.diagnostics) {
    reasons.push(`${now.task}: ${count(now.diagnostics, 'type error')}, ${old.diagnostics} before.`);
  }
  if (old.succeeded && !now.succeeded && reasons.length === 0) {
    reasons.push(`${now.task} (${now.kind}) succeeded before the change and fails after it.`);
  }
  return reasons;
}

function executed(tests: TestCounts | undefined): number {
  return tests ? tests.total - tests.skipped : 0;
}

/** Names that occur more often in `now` than in `old`: two tests may share a name. */
function addedNames(old: string[], now: string[]): string[] {
  const left = [...old];
  return now.filter((name) => {
    const at = left.indexOf(name);
    if (at < 0) return true;
    left.splice(at, 1);
    return false;
  });
}

function namedTests(names: string[]): string {
  const quoted = names.slice(0, 3).map((name) => `"${name}"`);
  const more = names.length > 3 ? ` and ${names.length - 3} more` : '';
  return names.length === 1 ? `the test ${quoted[0]} fails` : `the tests ${quoted.join(', ')}${more} fail`;
}

function count(number: number, noun: string): string {
  return `${number} ${noun}${number === 1 ? '' : 's'}`;
}

const diagnosticPattern = /(?:^|[\s:-])error TS\d+:/;

/** Number of TypeScript errors in a log, plain (`a.ts(1,2): error TS2304: …`) or pretty, coloured or not. */
export function countDiagnostics(log: string): number {
  return stripVTControlCharacters(log)
    .split('\n')
    .filter((line) => diagnosticPattern.test(line)).length;
}
