import type { TestCase } from '../test-report.ts';
import { countsOf, failureOf, numberBefore, tally, textOf } from './parser.ts';
import type { Parser, Summary } from './parser.ts';

const summaryLine =
  /^ {2}\d+ (?:tests? (?:passed|failed|skipped|todo)|known failures?|(?:uncaught|unhandled) \w+|hooks? failed)\s*$/;

/** Ava. It does not say how many tests passed once one failed: then its list of tests does. */
export const ava: Parser = {
  name: 'ava',

  summaries(lines) {
    const found: Summary[] = [];
    for (let at = 0; at < lines.length; at += 1) {
      if (!summaryLine.test(lines[at] ?? '')) continue;
      let to = at;
      while (summaryLine.test(lines[to + 1] ?? '')) to += 1;
      const text = lines.slice(at, to + 1).join('\n');
      const counts = countsOf({
        passed: numberBefore(text, /tests? passed/),
        failed: numberBefore(text, /tests? failed/),
        skipped:
          numberBefore(text, /tests? skipped/) +
          numberBefore(text, /tests? todo/) +
          numberBefore(text, /known failures?/),
      });
      found.push({ from: at, to, counts });
      at = to;
    }
    return found;
  },

  cases(lines, { from, summary }) {
    const cases: TestCase[] = [];
    for (let at = from; at < summary.from; at += 1) {
      const match =
        /^ {2}(?:([✔✓])|([✘✖]) \[fail\]:|-) (?:\[(skip|todo|expected fail)\] )?(\S.*?)(?: \((\d+)ms\))?\s*$/.exec(
          lines[at] ?? '',
        );
      if (!match || (!match[1] && !match[2] && !match[3])) continue;
      const parts = (match[4] ?? '').split(' › ');
      cases.push({
        suite: parts.slice(0, -1).join(' > '),
        name: parts.at(-1) ?? '',
        status: match[3] ? 'skipped' : match[2] ? 'failed' : 'passed',
        ...(match[5] === undefined ? {} : { durationMs: Number(match[5]) }),
        ...(match[2] ? failure(lines, at, summary.from, match[4] ?? '') : {}),
      });
    }
    return cases;
  },

  settle(counts, cases) {
    const listed = tally(cases);
    return counts.passed === 0 && listed.passed > 0 ? countsOf({ ...counts, passed: listed.passed }) : counts;
  },
};

/** The description of a failure: under the test's name, between two lines of a dash. */
function failure(
  lines: readonly string[],
  from: number,
  until: number,
  title: string,
): { message: string; output: string } | undefined {
  const start = lines.findIndex(
    (line, at) => at > from && at < until && line.trim() === title && lines[at - 1]?.trim() === '',
  );
  if (start < 0) return undefined;
  let end = start + 1;
  while (end < until && (lines[end] ?? '').trim() !== '─') end += 1;
  const text = textOf(lines, start + 1, end);
  return {
    ...failureOf(text),
    message: /^ {2}(Difference|[A-Z][\w ]*Error|Rejected|Value).*$/m.exec(text)?.[0].trim() ?? failureOf(text).message,
  };
}
