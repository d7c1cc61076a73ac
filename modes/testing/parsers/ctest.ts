import type { TestCase } from '../test-report.ts';
import { countsOf, failureOf, tally, textOf } from './parser.ts';
import type { Parser } from './parser.ts';

const result = /^\s*\d+\/\d+ Test\s+#\d+: (.+?) \.{2,}\s*(Passed|\*{3}[\w ]+?(?:\([^)]*\))?)\s+([\d.]+) sec/;

/** CTest. A skipped or disabled test is neither passed nor failed, although CTest's percentage counts skipped ones as passed. */
export const ctest: Parser = {
  name: 'ctest',

  summaries(lines) {
    let start: number | undefined;
    return lines.flatMap((line, at) => {
      if (/^Test project /.test(line)) start = at;
      const match = /^\d+% tests passed, (\d+) tests? failed out of (\d+)/.exec(line);
      if (!match) return [];
      const cases = readCases(lines, start ?? 0, at);
      const failed = Number(match[1]);
      const counts = cases.length > 0 ? tally(cases) : countsOf({ passed: Number(match[2]) - failed, failed });
      const summary = { ...(start === undefined ? {} : { start }), from: at, to: at, counts };
      start = undefined;
      return [summary];
    });
  },

  cases: (lines, { from, summary }) => readCases(lines, summary.start ?? from, summary.from),
};

function readCases(lines: readonly string[], from: number, until: number): TestCase[] {
  const cases: TestCase[] = [];
  for (let at = from; at < until; at += 1) {
    const match = result.exec(lines[at] ?? '');
    if (!match) continue;
    const verdict = match[2] ?? '';
    const failed = verdict !== 'Passed' && !/Skipped|Disabled/.test(verdict);
    let end = at + 1;
    while (end < until && !result.test(lines[end] ?? '') && !/^\s*Start\s+\d+:/.test(lines[end] ?? '')) end += 1;
    cases.push({
      suite: '',
      name: match[1] ?? '',
      status: verdict === 'Passed' ? 'passed' : failed ? 'failed' : 'skipped',
      durationMs: Math.round(Number(match[3]) * 1000),
      ...(failed ? { ...failureOf(textOf(lines, at + 1, end)), message: verdict.replace(/^\*+/, '').trim() } : {}),
    });
  }
  return cases;
}
