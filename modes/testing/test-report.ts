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
  /** From the runners' own summaries; all zero when none was found. */
  counts: TestCounts;
  /** What the runners list by name: all tests, the failed ones, or none. */
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
