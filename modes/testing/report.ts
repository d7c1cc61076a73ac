import type { TestCounts } from '../../contracts/job.ts';
import type { StepEnd } from '../../contracts/step.ts';

export interface TestCase {
  suite: string;
  name: string;
  status: 'passed' | 'failed' | 'skipped';
  durationMs?: number;
  message?: string;
  output?: string;
}

export interface TestReport {
  task: string;
  counts: TestCounts;
  cases: TestCase[];
  /** Names of the runners whose output was understood, e.g. `tap` or `mocha + jest`; null when none was. */
  recognised: string | null;
  /** Why the task failed as a whole, e.g. "the command ended with exit code 1"; absent when it succeeded. */
  failure?: string;
}

export interface TestRun {
  task: string;
  log: string;
  exitCode: number | null;
  end: StepEnd;
  /** Captured outputs by workspace-relative path, such as JUnit XML. */
  files: Map<string, Buffer>;
}

export function readTestReport(run: TestRun): TestReport {
  throw new Error(`in the making: ${run.task}`);
}

export function junitXml(reports: TestReport[]): string {
  throw new Error(`in the making: ${reports.length}`);
}

/** `logs` holds the log of each task by its id; `limit` is in characters. */
export function quoteFailures(reports: TestReport[], logs: ReadonlyMap<string, string>, limit = 20_000): string {
  throw new Error(`in the making: ${reports.length}, ${logs.size}, ${limit}`);
}
