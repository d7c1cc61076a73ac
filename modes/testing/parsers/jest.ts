import type { TestCase } from '../test-report.ts';
import { countsOf, failureOf, numberBefore, textOf } from './parser.ts';
import type { Parser } from './parser.ts';

/** Jest. Without --verbose only the failed tests are listed. */
export const jest: Parser = {
  name: 'jest',

  summaries(lines) {
    return lines.flatMap((line, at) => {
      const match = /^Tests:\s+(.*\d+ total)\s*$/.exec(line);
      if (!match?.[1]) return [];
      const counts = countsOf({
        passed: numberBefore(match[1], /passed/),
        failed: numberBefore(match[1], /failed/),
        skipped: numberBefore(match[1], /skipped/) + numberBefore(match[1], /todo/),
      });
      const from = /^Test Suites:/.test(lines[at - 1] ?? '') ? at - 1 : at;
      return [{ from, to: at, counts }];
    });
  },

  cases(lines, { from, summary }) {
    const failures = readFailures(lines, from, summary.from);
    const cases: TestCase[] = [];
    let file = '';
    const suites: { indent: number; title: string }[] = [];
    for (let at = from; at < summary.from; at += 1) {
      const text = lines[at] ?? '';
      const started = /^(?:PASS|FAIL)\s+(?:\S+ )?(\S+\.\w+)/.exec(text);
      if (started) {
        file = started[1] ?? '';
        suites.length = 0;
        continue;
      }
      const match = /^(\s+)(?:([✓✕○✎√×])\s)?(?:(?:skipped|todo) )?(\S.*?)(?: \(([\d.]+) (ms|s)\))?\s*$/.exec(text);
      if (!match || file === '' || /^\s+●/.test(text)) {
        if (text.trim() !== '') suites.length = 0;
        continue;
      }
      const [, space = '', mark, title = '', time, unit] = match;
      while ((suites.at(-1)?.indent ?? -1) >= space.length) suites.pop();
      if (!mark) {
        suites.push({ indent: space.length, title });
        continue;
      }
      const suite = suites.map((each) => each.title).join(' > ');
      const failed = mark === '✕' || mark === '×';
      const key = [...suites.map((each) => each.title), title].join(' › ');
      cases.push({
        suite: suite || file,
        name: title,
        status: failed ? 'failed' : mark === '○' || mark === '✎' ? 'skipped' : 'passed',
        ...(time === undefined ? {} : { durationMs: Number(time) * (unit === 's' ? 1000 : 1) }),
        ...(failed ? failures.get(key) : {}),
      });
    }
    if (cases.some((each) => each.status === 'failed')) return cases;
    const listed = [...failures].map(([title, failure]): TestCase => {
      const parts = title.split(' › ');
      return { suite: parts.slice(0, -1).join(' > '), name: parts.at(-1) ?? title, status: 'failed', ...failure };
    });
    return [...cases, ...listed];
  },
};

/** Blocks that begin with `● suite › test`; the same one may be printed twice. */
function readFailures(
  lines: readonly string[],
  from: number,
  until: number,
): Map<string, { message: string; output: string }> {
  const failures = new Map<string, { message: string; output: string }>();
  for (let at = from; at < until; at += 1) {
    const title = /^ {2}● (.+)$/.exec(lines[at] ?? '')?.[1];
    if (title === undefined || title === 'Console' || failures.has(title)) continue;
    let end = at + 1;
    while (end < until && /^( {4}|$)/.test(lines[end] ?? '')) end += 1;
    failures.set(title, failureOf(textOf(lines, at + 1, end)));
  }
  return failures;
}
