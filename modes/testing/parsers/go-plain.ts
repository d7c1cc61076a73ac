import type { TestCase } from '../test-report.ts';
import { failureOf, tally, textOf } from './parser.ts';
import type { Parser, Summary } from './parser.ts';

const result = /^(\s*)--- (PASS|FAIL|SKIP): (\S+) \(([\d.]+)s\)$/;
const packageEnd = /^(?:ok|FAIL)\s+(\S+)\s+(?:[\d.]+s|\(cached\)|\[(?:build|setup) failed\])/;

/** `go test` without -json. Without -v it prints the failed tests only, so passed ones are not counted. */
export const goPlain: Parser = {
  name: 'go test',

  summaries(lines) {
    const found: Summary[] = [];
    let start = 0;
    lines.forEach((line, at) => {
      if (!packageEnd.test(line)) return;
      found.push({ from: at, to: at, counts: tally(readCases(lines, start, at)) });
      start = at + 1;
    });
    return found;
  },

  cases: (lines, { from, summary }) => readCases(lines, from, summary.from),
};

function readCases(lines: readonly string[], from: number, end: number): TestCase[] {
  const suite = packageEnd.exec(lines[end] ?? '')?.[1] ?? '';
  const cases: TestCase[] = [];
  for (let at = from; at < end; at += 1) {
    const match = result.exec(lines[at] ?? '');
    if (!match) continue;
    const indent = match[1]?.length ?? 0;
    let next = at + 1;
    while (next < end && (lines[next] ?? '').startsWith(' '.repeat(indent + 4)) && !result.test(lines[next] ?? ''))
      next += 1;
    const after = textOf(lines, at + 1, next);
    cases.push({
      suite,
      name: match[3] ?? '',
      status: match[2] === 'PASS' ? 'passed' : match[2] === 'FAIL' ? 'failed' : 'skipped',
      durationMs: Math.round(Number(match[4]) * 1000),
      ...(match[2] === 'FAIL' ? failureOf(after || logOf(lines, from, at, match[3] ?? '')) : {}),
    });
  }
  return cases;
}

/** With -v a test's messages come before its result, after `=== RUN`. */
function logOf(lines: readonly string[], from: number, at: number, name: string): string {
  for (let start = at - 1; start >= from; start -= 1) {
    if (!new RegExp(`^=== (RUN|CONT|NAME)\\s+`).test(lines[start] ?? '')) continue;
    if (!(lines[start] ?? '').endsWith(` ${name}`)) continue;
    let end = start + 1;
    while (end < at && !/^\s*(===|---) /.test(lines[end] ?? '')) end += 1;
    return textOf(lines, start + 1, end);
  }
  return '';
}
