import type { TestCounts } from '../../../contracts/job.ts';
import type { TestCase } from '../test-report.ts';

/** A runner's summary in a log, by line numbers. */
export interface Summary {
  /** Line where the run says that it begins, for runners that do. */
  start?: number;
  from: number;
  /** The last line of the summary. */
  to: number;
  /** May leave things out that only the listed cases tell (ava prints no number of passed tests when one failed). */
  counts: TestCounts;
}

/** The lines that belong to one summary: its run from `from` to `summary`, and details printed after it up to `until` (exclusive). */
export interface Region {
  from: number;
  summary: Summary;
  until: number;
}

/**
 * One test runner. Counts are taken from its own summary, never guessed from marks; the cases are what its output lists, which may be
 * only the failed ones or none.
 */
export interface Parser {
  name: string;
  summaries(lines: readonly string[]): Summary[];
  cases(lines: readonly string[], region: Region): TestCase[];
  /** Mends the summary's counts by the listed cases. */
  settle?(counts: TestCounts, cases: readonly TestCase[]): TestCounts;
}

export function countsOf(numbers: { passed?: number; failed?: number; skipped?: number }): TestCounts {
  const { passed = 0, failed = 0, skipped = 0 } = numbers;
  return { total: passed + failed + skipped, passed, failed, skipped };
}

export function tally(cases: readonly Pick<TestCase, 'status'>[]): TestCounts {
  const of = (status: TestCase['status']): number => cases.filter((each) => each.status === status).length;
  return countsOf({ passed: of('passed'), failed: of('failed'), skipped: of('skipped') });
}

/** The number before a word in texts like `3 passed, 1 failed`; 0 when it is not there. */
export function numberBefore(text: string, word: RegExp): number {
  return Number(new RegExp(`(\\d+)\\s+(?:${word.source})`).exec(text)?.[1] ?? 0);
}

/** The lines from `from` up to `until` (exclusive) without empty ones at either end, as a text. */
export function textOf(lines: readonly string[], from: number, until: number): string {
  return lines
    .slice(from, until)
    .join('\n')
    .replace(/^(?:[ \t]*\n)+/, '')
    .trimEnd();
}

/** The first line that says something. */
export function firstLine(text: string): string {
  return (
    text
      .split('\n')
      .map((line) => line.trim())
      .find((line) => line !== '') ?? ''
  );
}

/** What a case gets from the text that a runner prints about its failure. */
export function failureOf(text: string): { message: string; output: string } {
  return { message: firstLine(text), output: text };
}
