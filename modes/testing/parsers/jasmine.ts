import type { TestCase } from '../test-report.ts';
import { countsOf, failureOf, numberBefore, textOf } from './parser.ts';
import type { Parser } from './parser.ts';

/** Jasmine's usual reporter, which names only failed and pending specs. */
export const jasmine: Parser = {
  name: 'jasmine',

  summaries(lines) {
    return lines.flatMap((line, at) => {
      const match = /^(\d+) specs?, (\d+) failures?/.exec(line);
      if (!match) return [];
      const skipped = numberBefore(line, /pending specs?/);
      const failed = Number(match[2]);
      const counts = countsOf({ passed: Math.max(0, Number(match[1]) - failed - skipped), failed, skipped });
      return [{ from: at, to: at, counts }];
    });
  },

  cases(lines, { from, summary }) {
    const cases: TestCase[] = [];
    let status: TestCase['status'] | undefined;
    for (let at = from; at < summary.from; at += 1) {
      const line = lines[at] ?? '';
      if (line === 'Failures:') status = 'failed';
      else if (line === 'Pending:') status = 'skipped';
      const name = /^\d+\) (.+)$/.exec(line)?.[1];
      if (name === undefined || status === undefined) continue;
      let end = at + 1;
      while (end < summary.from && /^( {2}|$)/.test(lines[end] ?? '') && !/^\d+\) /.test(lines[end] ?? '')) end += 1;
      const text = textOf(lines, at + 1, end);
      const message = /Message:\n\s*(.+)/.exec(text)?.[1];
      cases.push({
        suite: '',
        name,
        status,
        ...(status === 'failed' ? { ...failureOf(text), ...(message ? { message } : {}) } : {}),
      });
    }
    return cases;
  },
};
