import type { TestCase } from '../test-report.ts';
import { countsOf, failureOf, numberBefore, textOf } from './parser.ts';
import type { Parser } from './parser.ts';

/** Vitest. Its usual reporter lists whole files; the failed tests, and with the verbose reporter all, are listed by name. */
export const vitest: Parser = {
  name: 'vitest',

  summaries(lines) {
    return lines.flatMap((line, at) => {
      const match = /^\s+Tests\s+(.*\(\d+\)|no tests)\s*$/.exec(line);
      if (!match?.[1] || !/^\s+Test Files\s/.test(lines[at - 1] ?? '')) return [];
      const counts = countsOf({
        passed: numberBefore(match[1], /passed/),
        failed: numberBefore(match[1], /failed/),
        skipped: numberBefore(match[1], /skipped/) + numberBefore(match[1], /todo/),
      });
      return [{ from: at - 1, to: at, counts }];
    });
  },

  cases(lines, { from, summary }) {
    const failures = readFailures(lines, from, summary.from);
    const cases = new Map<string, TestCase>();
    for (let at = from; at < summary.from; at += 1) {
      const match = /^ ([✓×↓□]) (\S+ > .*?)(?: (\d+)ms)?$/.exec(lines[at] ?? '');
      if (!match?.[2]) continue;
      const failed = match[1] === '×';
      cases.set(match[2], {
        ...names(match[2]),
        status: failed ? 'failed' : match[1] === '✓' ? 'passed' : 'skipped',
        ...(match[3] === undefined ? {} : { durationMs: Number(match[3]) }),
        ...(failed ? failures.get(match[2]) : {}),
      });
    }
    // A file that could not be loaded is reported without a test's name.
    for (const [title, failure] of failures) {
      if (!cases.has(title) && title.includes(' > '))
        cases.set(title, { ...names(title), status: 'failed', ...failure });
    }
    return [...cases.values()];
  },
};

function names(title: string): { suite: string; name: string } {
  const parts = title.split(' > ');
  return { suite: parts.slice(0, -1).join(' > '), name: parts.at(-1) ?? title };
}

function readFailures(
  lines: readonly string[],
  from: number,
  until: number,
): Map<string, { message: string; output: string }> {
  const failures = new Map<string, { message: string; output: string }>();
  for (let at = from; at < until; at += 1) {
    const title = /^ FAIL {2}(.+)$/.exec(lines[at] ?? '')?.[1];
    if (title === undefined) continue;
    let end = at + 1;
    while (end < until && !/^⎯{5}/.test(lines[end] ?? '') && !/^ FAIL {2}/.test(lines[end] ?? '')) end += 1;
    failures.set(title.trim(), failureOf(textOf(lines, at + 1, end)));
  }
  return failures;
}
