import type { TestCase } from '../test-report.ts';
import { countsOf, failureOf, textOf } from './parser.ts';
import type { Parser } from './parser.ts';

/** GoogleTest, run by itself. Below CTest its programs are CTest's tests. */
export const googletest: Parser = {
  name: 'googletest',

  summaries(lines) {
    let start: number | undefined;
    return lines.flatMap((line, at) => {
      if (/^\[={10}\] Running \d+ tests?/.test(line)) start = at;
      if (!/^\[={10}\] \d+ tests? from \d+ test (?:suites?|cases?) ran\./.test(line)) return [];
      const numbers = new Map<string, number>();
      let to = at;
      for (let next = at + 1; /^\[ {2}(PASSED|SKIPPED|FAILED) {1,2}\]/.test(lines[next] ?? ''); next += 1) {
        const match = /^\[ {2}(PASSED|SKIPPED|FAILED) {1,2}\] (\d+) tests?/.exec(lines[next] ?? '');
        if (match?.[1]) numbers.set(match[1], Number(match[2]));
        to = next;
      }
      const counts = countsOf({
        passed: numbers.get('PASSED') ?? 0,
        failed: numbers.get('FAILED') ?? 0,
        skipped: numbers.get('SKIPPED') ?? 0,
      });
      const summary = { ...(start === undefined ? {} : { start }), from: at, to, counts };
      start = undefined;
      return [summary];
    });
  },

  cases(lines, { from, summary }) {
    const cases: TestCase[] = [];
    let begun = from;
    for (let at = summary.start ?? from; at < summary.from; at += 1) {
      const line = lines[at] ?? '';
      if (/^\[ RUN {6}\]/.test(line)) begun = at + 1;
      const match = /^\[ {2,7}(OK|FAILED|SKIPPED) {1,2}\] ([^ .]+)\.([^ ,]+).*\((\d+) ms\)$/.exec(line);
      if (!match) continue;
      cases.push({
        suite: match[2] ?? '',
        name: match[3] ?? '',
        status: match[1] === 'OK' ? 'passed' : match[1] === 'FAILED' ? 'failed' : 'skipped',
        durationMs: Number(match[4]),
        ...(match[1] === 'FAILED' ? failureOf(textOf(lines, begun, at)) : {}),
      });
    }
    return cases;
  },
};
