import type { TestCase } from '../test-report.ts';
import { countsOf, failureOf, numberBefore, textOf } from './parser.ts';
import type { Parser } from './parser.ts';

const words =
  'failed|passed|skipped|deselected|xfailed|xpassed|errors?|warnings?|rerun|subtests (?:passed|failed|skipped)';
const summaryLine = new RegExp(`^=*\\s*((?:\\d+ (?:${words})(?:, )?)+|no tests ran) in [\\d.]+s`);

/** pytest. Expected failures count as skipped, unexpected passes as passed, errors in set-up or tear-down as failed. */
export const pytest: Parser = {
  name: 'pytest',

  summaries(lines) {
    let start: number | undefined;
    return lines.flatMap((line, at) => {
      if (/^=+ test session starts =+$/.test(line)) start = at;
      const text = summaryLine.exec(line)?.[1];
      if (text === undefined) return [];
      const own = text.replace(/\d+ subtests \w+/g, '');
      const counts = countsOf({
        passed: numberBefore(own, /passed/) + numberBefore(own, /xpassed/),
        failed: numberBefore(own, /failed/) + numberBefore(own, /errors?/),
        skipped: numberBefore(own, /skipped/) + numberBefore(own, /xfailed/),
      });
      const summary = { ...(start === undefined ? {} : { start }), from: at, to: at, counts };
      start = undefined;
      return [summary];
    });
  },

  cases(lines, { from, summary }) {
    const cases: TestCase[] = [];
    for (let at = summary.start ?? from; at < summary.from; at += 1) {
      const verbose = /^(\S+?)::(.+?) (PASSED|SKIPPED|XFAIL|XPASS)\b/.exec(lines[at] ?? '');
      const failed = /^(?:FAILED|ERROR) ([^:\s]+?)(?:::(.+?))?(?: - (.*))?$/.exec(lines[at] ?? '');
      if (verbose) {
        const passed = verbose[3] === 'PASSED' || verbose[3] === 'XPASS';
        cases.push({ ...names(verbose[1], verbose[2]), status: passed ? 'passed' : 'skipped' });
      } else if (failed) {
        const named = names(failed[1], failed[2]);
        cases.push({
          ...named,
          status: 'failed',
          ...details(lines, summary.start ?? from, at, named.name),
          ...(failed[3] ? { message: failed[3] } : {}),
        });
      }
    }
    return cases;
  },
};

function names(file = '', test = ''): { suite: string; name: string } {
  const parts = test.split('::');
  return { suite: [file, ...parts.slice(0, -1)].filter((part) => part !== '').join('::'), name: parts.at(-1) || file };
}

/** The block under `____ name ____`. */
function details(
  lines: readonly string[],
  from: number,
  until: number,
  name: string,
): { message: string; output: string } | undefined {
  const start = lines.findIndex(
    (line, at) =>
      at >= from &&
      at < until &&
      /^_{3,} .* _{3,}$/.test(line) &&
      (line.includes(` ${name} `) || line.includes(`.${name} `)),
  );
  if (start < 0) return undefined;
  let end = start + 1;
  while (end < until && !/^(_{3,} .* _{3,}|={3,} .* ={3,})$/.test(lines[end] ?? '')) end += 1;
  return failureOf(textOf(lines, start + 1, end));
}
