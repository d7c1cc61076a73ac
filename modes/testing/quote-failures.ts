import { readableLog } from './log-text.ts';
import type { TestCase, TestReport } from './test-report.ts';

const mostLinesPerCase = 30;
const tailLines = 40;

/**
 * The failures of all tasks for people to read: of each failed test its name, message and the lines about it; of a task that failed
 * without a failed test (a linter, a crash, a runner nobody knows) the end of its log. Empty when nothing failed.
 * @param logs log of each task, by the task's id
 * @param limit characters; what does not fit is counted at the end
 */
export function quoteFailures(reports: TestReport[], logs: ReadonlyMap<string, string>, limit = 20_000): string {
  const quotes = reports.flatMap((report) => quotesOf(report, logs.get(report.task)));
  const kept: string[] = [];
  let length = 0;
  for (const quote of quotes) {
    const room = limit - length;
    // The first is shown in any case, cut if need be.
    if (quote.length > room && kept.length > 0) break;
    kept.push(quote.length > room ? `${quote.slice(0, Math.max(0, room))}\n    ...` : quote);
    length += quote.length + 2;
  }
  const left = quotes.length - kept.length;
  if (left > 0) kept.push(`... and ${left} more ${left === 1 ? 'failure' : 'failures'}`);
  return kept.join('\n\n');
}

function quotesOf(report: TestReport, log: string | undefined): string[] {
  const failed = report.cases.filter((each) => each.status === 'failed' && !failsByItsParts(each, report.cases));
  if (failed.length > 0) return failed.map((each) => quoteCase(report.task, each));
  if (report.failure === undefined) return [];
  const tail = log === undefined ? [] : usefulTail(readableLog(log).split('\n'));
  return [[`✖ ${report.task}: ${report.failure}`, ...tail.map((line) => `    ${line}`)].join('\n')];
}

/** A Go test that says nothing itself and failed because subtests did. */
function failsByItsParts({ suite, name, output }: TestCase, cases: TestCase[]): boolean {
  if (output) return false;
  return cases.some((other) => other.status === 'failed' && other.suite === suite && other.name.startsWith(`${name}/`));
}

function quoteCase(task: string, { suite, name, message, output }: TestCase): string {
  const title = `✖ ${task}: ${suite === '' ? name : `${suite} > ${name}`}`;
  const lines = (output ?? '').split('\n').filter((line) => line.trim() !== '' && !isRunnerFrame(line));
  const said =
    message !== undefined && message !== '' && !lines.some((line) => line.includes(message)) ? [message] : [];
  const shown = [...said, ...dedent(lines.slice(0, mostLinesPerCase))];
  const more = lines.length > mostLinesPerCase ? [`... ${lines.length - mostLinesPerCase} more lines`] : [];
  return [title, ...[...shown, ...more].map((line) => `    ${line}`)].join('\n');
}

/** Stack frames of runners and of the language's own libraries tell nothing about the failure. */
function isRunnerFrame(line: string): boolean {
  return (
    /^\s*(at )?.*(\(|\s|^)(node:internal\/|node:async_hooks|.*\/node_modules\/(tape|mocha|jest|jest-\w+|vitest|@vitest|ava|jasmine|jasmine-core|uvu|tap)\/)/.test(
      line,
    ) || /^\s*at (org\.junit\.|org\.apache\.maven\.|java\.base\/|sun\.reflect\.|jdk\.internal\.)/.test(line)
  );
}

/** Takes away the indentation that all lines share, and all of the first line's. */
function dedent(lines: string[]): string[] {
  const indent = Math.min(...lines.map((line) => /^\s*/.exec(line)?.[0].length ?? 0));
  return lines.map((line, index) => (index === 0 ? line.trimStart() : line.slice(indent)));
}

/** The end of a log without the chatter that npm adds after the thing that failed. */
function usefulTail(lines: string[]): string[] {
  const useful = lines.filter(
    (line) =>
      line.trim() !== '' &&
      !/^npm (warn|notice)\b/.test(line) &&
      !/A complete log of this run can be found in/.test(line),
  );
  return useful.slice(-tailLines);
}
