import type { TestCase } from '../test-report.ts';
import { countsOf, failureOf, textOf } from './parser.ts';
import type { Parser } from './parser.ts';

/** uvu, whose total leaves skipped tests out. It names only failed tests. */
export const uvu: Parser = {
  name: 'uvu',

  summaries(lines) {
    return lines.flatMap((line, at) => {
      const total = /^ {2}Total:\s+(\d+)\s*$/.exec(line)?.[1];
      const passed = /^ {2}Passed:\s+(\d+)\s*$/.exec(lines[at + 1] ?? '')?.[1];
      const skipped = /^ {2}Skipped:\s+(\d+)\s*$/.exec(lines[at + 2] ?? '')?.[1];
      if (total === undefined || passed === undefined || skipped === undefined) return [];
      const counts = countsOf({
        passed: Number(passed),
        failed: Number(total) - Number(passed),
        skipped: Number(skipped),
      });
      return [{ from: at, to: at + 2, counts }];
    });
  },

  cases(lines, { from, summary }) {
    const cases: TestCase[] = [];
    for (let at = from; at < summary.from; at += 1) {
      const match = /^\s*FAIL\s+(.*?)\s*"(.+)"\s*$/.exec(lines[at] ?? '');
      if (!match) continue;
      let end = at + 1;
      while (end < summary.from && /^(\s{4}|\s*$)/.test(lines[end] ?? '')) end += 1;
      cases.push({
        suite: match[1] ?? '',
        name: match[2] ?? '',
        status: 'failed',
        ...failureOf(textOf(lines, at + 1, end)),
      });
    }
    return cases;
  },
};
