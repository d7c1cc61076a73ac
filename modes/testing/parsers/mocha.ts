import type { TestCase } from '../test-report.ts';
import { countsOf, failureOf, textOf } from './parser.ts';
import type { Parser, Summary } from './parser.ts';

/** Mocha with its spec reporter, and any other that ends with "N passing". */
export const mocha: Parser = {
  name: 'mocha',

  summaries(lines) {
    const found: Summary[] = [];
    lines.forEach((line, at) => {
      const passing = /^\s{2}(\d+) passing \([^)]+\)\s*$/.exec(line);
      if (!passing) return;
      let to = at;
      const numbers = { passed: Number(passing[1]), failed: 0, skipped: 0 };
      for (let next = at + 1; next < lines.length; next += 1) {
        const match = /^\s{2}(\d+) (pending|failing)\s*$/.exec(lines[next] ?? '');
        if (!match) break;
        numbers[match[2] === 'failing' ? 'failed' : 'skipped'] = Number(match[1]);
        to = next;
      }
      found.push({ from: at, to, counts: countsOf(numbers) });
    });
    return found;
  },

  cases(lines, { from, summary, until }) {
    const failures = readFailures(lines, summary.to + 1, until);
    const cases: TestCase[] = [];
    const suites: { indent: number; title: string }[] = [];
    for (let at = from; at < summary.from; at += 1) {
      const match = /^(\s+)(?:([✔✓√])|(-)|(\d+)\))?\s?(\S.*?)(?: \((\d+)ms\))?\s*$/.exec(lines[at] ?? '');
      if (!match) continue;
      const [, space = '', passed, pending, number, title = '', ms] = match;
      const indent = space.length;
      while ((suites.at(-1)?.indent ?? -1) >= indent) suites.pop();
      if (!passed && !pending && !number) {
        suites.push({ indent, title });
        continue;
      }
      cases.push({
        suite: suites.map((suite) => suite.title).join(' > '),
        name: title,
        status: passed ? 'passed' : pending ? 'skipped' : 'failed',
        ...(ms === undefined ? {} : { durationMs: Number(ms) }),
        ...(number ? failures.get(Number(number))?.failure : {}),
      });
    }
    // Reporters that list no tests still number and describe the failures.
    const listed = cases.filter((each) => each.status === 'failed').length;
    if (listed === 0) {
      for (const { suite, name, failure } of failures.values())
        cases.push({ suite, name, status: 'failed', ...failure });
    }
    return cases.some((each) => each.status === 'failed') || listed === summary.counts.failed ? cases : [];
  },
};

interface Failure {
  suite: string;
  name: string;
  failure: { message: string; output: string };
}

/** The numbered failures after the summary: titles by line down to one that ends with a colon, then the error. */
function readFailures(lines: readonly string[], from: number, until: number): Map<number, Failure> {
  const starts: { at: number; number: number }[] = [];
  for (let at = from; at < until; at += 1) {
    const number = /^ {2}(\d+)\) \S/.exec(lines[at] ?? '')?.[1];
    if (number !== undefined && Number(number) === starts.length + 1) starts.push({ at, number: Number(number) });
  }
  const failures = new Map<number, Failure>();
  starts.forEach(({ at, number }, index) => {
    const end = starts[index + 1]?.at ?? until;
    const titles = [(lines[at] ?? '').replace(/^ {2}\d+\) /, '')];
    let next = at + 1;
    while (next < end && !titles.at(-1)?.endsWith(':') && (lines[next] ?? '').trim() !== '')
      titles.push((lines[next++] ?? '').trim());
    const names = titles.map((title) => title.trim().replace(/:$/, ''));
    const failure = failureOf(textOf(lines, next, endOfFailure(lines, next, end)));
    failures.set(number, { suite: names.slice(0, -1).join(' > '), name: names.at(-1) ?? '', failure });
  });
  return failures;
}

/** Mocha leaves two or more empty lines after its last failure. */
function endOfFailure(lines: readonly string[], from: number, end: number): number {
  for (let at = from; at + 1 < end; at += 1) if ((lines[at] ?? '') === '' && (lines[at + 1] ?? '') === '') return at;
  return end;
}
