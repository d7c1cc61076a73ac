import type { TestCounts } from '../../contracts/job.ts';
import { logLines } from './log-text.ts';
import { tally } from './parsers/parser.ts';
import { readJunit } from './read-junit.ts';
import { readLog } from './read-log.ts';
import type { RunnerResult } from './read-log.ts';
import type { TestCase, TestReport, TestRun } from './test-report.ts';

export { junitXml } from './junit-xml.ts';
export { quoteFailures } from './quote-failures.ts';
export type { TestReport, TestRun } from './test-report.ts';

/** Runners whose tests are listed in XML files rather than in their logs. */
const reportInFiles = new Set(['pytest', 'surefire', 'ctest']);

/**
 * Reads what a test task left behind. Several runs in one log add up. Numbers come from the summaries that runners print, or from JUnit
 * XML when the log has none; a log without either gives zero tests, whatever its exit code.
 */
export function readTestReport(run: TestRun): TestReport {
  const results = readLog(logLines(run.log));
  const listed = [...run.files].sort(([a], [b]) => (a < b ? -1 : 1)).flatMap(([, content]) => readJunit(content) ?? []);
  const all = listed.length > 0 ? withFiles(results, listed) : results;
  const counts = all.reduce((sum, result) => add(sum, result.counts), { total: 0, passed: 0, failed: 0, skipped: 0 });
  const failure = failureText(run);
  return {
    task: run.task,
    counts,
    cases: all.flatMap((result) => result.cases),
    recognised: all.length > 0 ? [...new Set(all.map((result) => result.runner))].join(' + ') : null,
    ...(failure ? { failure } : {}),
  };
}

/** Puts the cases of XML files in the place of those read from the log of the runner that wrote them. */
function withFiles(results: RunnerResult[], listed: TestCase[]): RunnerResult[] {
  const writers = results.filter((result) => reportInFiles.has(result.runner));
  const [first] = writers;
  if (!first) return [...results, { runner: 'junit', counts: tally(listed), cases: listed }];
  return results.map((result) => {
    if (result === first) return { ...result, cases: listed };
    return writers.includes(result) ? { ...result, cases: [] } : result;
  });
}

function add(a: TestCounts, b: TestCounts): TestCounts {
  return {
    total: a.total + b.total,
    passed: a.passed + b.passed,
    failed: a.failed + b.failed,
    skipped: a.skipped + b.skipped,
  };
}

function failureText({ end, exitCode }: TestRun): string | undefined {
  switch (end) {
    case 'exited':
      return exitCode === 0 ? undefined : `the command ended with exit code ${exitCode}`;
    case 'timeout':
      return 'the command ran longer than its time limit and was ended';
    case 'log-limit':
      return 'the command printed more than the log may hold and was ended';
    case 'install-failed':
      return `the installation of its dependencies failed${exitCode === null ? '' : ` with exit code ${exitCode}`}`;
    case 'cancelled':
      return 'the command was cancelled';
    case 'lease-expired':
      return 'the node ended the command because its job was gone';
  }
}
