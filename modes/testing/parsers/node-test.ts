import type { TestCase } from '../test-report.ts';
import { countsOf, failureOf, textOf } from './parser.ts';
import type { Parser, Summary } from './parser.ts';

const line = /^(\s*)([✔✖﹣⚠]) (.*?)(?: \(([\d.]+)ms\))?( # .*)?$/;

/** node:test with its spec reporter. A test with subtests is counted, but looks like a suite, and is not listed. */
export const nodeTest: Parser = {
  name: 'node:test',

  summaries(lines) {
    const found: Summary[] = [];
    for (let at = 0; at < lines.length; at += 1) {
      if (!/^ℹ tests \d+$/.test(lines[at] ?? '')) continue;
      const numbers = new Map<string, number>();
      let to = at;
      for (; to < lines.length; to += 1) {
        const match = /^ℹ (\w+) ([\d.]+)$/.exec(lines[to] ?? '');
        if (!match?.[1]) break;
        numbers.set(match[1], Number(match[2]));
      }
      const get = (key: string): number => numbers.get(key) ?? 0;
      const counts = countsOf({
        passed: get('pass'),
        failed: get('fail') + get('cancelled'),
        skipped: get('skipped') + get('todo'),
      });
      found.push({ from: at, to: to - 1, counts });
      at = to - 1;
    }
    return found;
  },

  cases(lines, { from, summary, until }) {
    const failures = readFailures(lines, summary.to + 1, until);
    const cases: TestCase[] = [];
    const suites: string[] = [];
    for (let at = from; at < summary.from; at += 1) {
      const text = lines[at] ?? '';
      const opened = /^(\s*)▶ (.*)$/.exec(text);
      if (opened) {
        suites.length = (opened[1]?.length ?? 0) / 2;
        suites.push(opened[2]?.replace(/ \([\d.]+ms\)$/, '') ?? '');
        continue;
      }
      const match = line.exec(text);
      if (!match) continue;
      const [, indent = '', mark, name = '', ms, note] = match;
      const depth = indent.length / 2;
      if (suites.length > depth && suites[depth] === name) {
        suites.length = depth;
        continue;
      }
      suites.length = Math.min(suites.length, depth);
      const skipped = mark === '﹣' || /# (SKIP|TODO)/.test(note ?? '');
      const failed = mark === '✖' && !skipped;
      cases.push({
        suite: suites.join(' > '),
        name,
        status: skipped ? 'skipped' : failed ? 'failed' : 'passed',
        ...(ms === undefined ? {} : { durationMs: Number(ms) }),
        ...(failed ? failures.get(name)?.shift() : {}),
      });
    }
    return cases;
  },
};

/** The section "failing tests", by name in the order of the tests. */
function readFailures(
  lines: readonly string[],
  from: number,
  until: number,
): Map<string, { message: string; output: string }[]> {
  const failures = new Map<string, { message: string; output: string }[]>();
  const starts: number[] = [];
  for (let at = from; at < until; at += 1) if (/^test at /.test(lines[at] ?? '')) starts.push(at);
  starts.forEach((start, index) => {
    const name = line.exec(lines[start + 1] ?? '')?.[3];
    if (name === undefined) return;
    const failure = failureOf(
      textOf(lines, start + 2, Math.min(starts[index + 1] ?? until, endOfIndented(lines, start + 2, until))),
    );
    failures.set(name, [...(failures.get(name) ?? []), failure]);
  });
  return failures;
}

function endOfIndented(lines: readonly string[], from: number, until: number): number {
  let at = from;
  while (at < until && /^(\s|$)/.test(lines[at] ?? '')) at += 1;
  return at;
}
