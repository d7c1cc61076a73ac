import type { TestCase, TestReport } from './test-report.ts';

/**
 * One JUnit report for all tasks, a `testsuite` for each, as Jenkins and surefire define it. The numbers are the runners' own: where a
 * runner lists only some of its tests, they are larger than the number of listed cases, and `system-out` says so. A task that failed
 * without a failed test has an `error` of its own.
 */
export function junitXml(reports: TestReport[]): string {
  const suites = reports.map(suiteXml);
  const sum = (pick: (report: TestReport) => number): number =>
    reports.reduce((total, report) => total + pick(report), 0);
  const attributes = `tests="${sum((each) => each.counts.total + errors(each))}" failures="${sum((each) => each.counts.failed)}" errors="${sum(errors)}" time="${seconds(reports.flatMap((each) => each.cases))}"`;
  return `<?xml version="1.0" encoding="UTF-8"?>\n<testsuites name="helix" ${attributes}>\n${suites.join('')}</testsuites>\n`;
}

function suiteXml(report: TestReport): string {
  const { task, counts, cases } = report;
  const error = errors(report);
  const attributes = `name="${escape(task)}" tests="${counts.total + error}" failures="${counts.failed}" errors="${error}" skipped="${counts.skipped}" time="${seconds(cases)}"`;
  const own = error
    ? [
        `    <testcase classname="${escape(task)}" name="the task itself"><error message="${escape(report.failure ?? '')}"/></testcase>\n`,
      ]
    : [];
  const unlisted = counts.total - cases.length;
  const note =
    unlisted > 0
      ? `    <system-out>${unlisted} of ${counts.total} tests are not listed by the runner.</system-out>\n`
      : '';
  return `  <testsuite ${attributes}>\n${[...own, ...cases.map((each) => caseXml(each, task))].join('')}${note}  </testsuite>\n`;
}

/** A task can fail with all its tests passed: a linter, a coverage threshold, a crash. */
function errors(report: TestReport): number {
  return report.failure !== undefined && report.counts.failed === 0 ? 1 : 0;
}

function caseXml(each: TestCase, task: string): string {
  const time = each.durationMs === undefined ? '' : ` time="${(each.durationMs / 1000).toFixed(3)}"`;
  const head = `    <testcase classname="${escape(each.suite || task)}" name="${escape(each.name)}"${time}`;
  if (each.status === 'passed') return `${head}/>\n`;
  if (each.status === 'skipped') return `${head}><skipped/></testcase>\n`;
  return `${head}><failure message="${escape(each.message ?? 'failed')}">${escape(each.output ?? '')}</failure></testcase>\n`;
}

function seconds(cases: TestCase[]): string {
  return (cases.reduce((sum, each) => sum + (each.durationMs ?? 0), 0) / 1000).toFixed(3);
}

const entities: Record<string, string> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  '\n': '&#10;',
  '\r': '&#13;',
  '\t': '&#9;',
};

/** Escapes for text and attributes alike; characters that XML 1.0 cannot hold are shown as `\x1b` and the like. */
function escape(text: string): string {
  return (
    text
      .toWellFormed()
      // oxlint-disable-next-line no-control-regex -- control characters are what is looked for
      .replace(
        /[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f\ufffe\uffff]/g,
        (character) => `\\x${character.charCodeAt(0).toString(16).padStart(2, '0')}`,
      )
      .replace(/[&<>"\n\r\t]/g, (character) => entities[character] ?? character)
  );
}
