import type { TestCase } from '../test-report.ts';
import { countsOf, failureOf, textOf } from './parser.ts';
import type { Parser } from './parser.ts';

/** Python's unittest. Expected failures count as skipped; failed subtests count each, as unittest counts them. */
export const unittest: Parser = {
  name: 'unittest',

  summaries(lines) {
    return lines.flatMap((line, at) => {
      const total = /^Ran (\d+) tests? in [\d.]+s$/.exec(line)?.[1];
      if (total === undefined) return [];
      let to = at + 1;
      while (to < lines.length && (lines[to] ?? '').trim() === '') to += 1;
      const verdict = /^(OK|FAILED|NO TESTS RAN)\b(.*)$/.exec(lines[to] ?? '')?.[2];
      if (verdict === undefined) return [];
      const get = (key: string): number => Number(new RegExp(`[( ]${key}=(\\d+)`).exec(verdict)?.[1] ?? 0);
      const failed = get('failures') + get('errors') + get('unexpected successes');
      const skipped = get('skipped') + get('expected failures');
      // Failures of subtests and of class set-ups are no tests of their own and may outnumber them.
      return [
        { from: at, to, counts: countsOf({ passed: Math.max(0, Number(total) - failed - skipped), failed, skipped }) },
      ];
    });
  },

  cases(lines, { from, summary }) {
    const failures = readFailures(lines, from, summary.from);
    const cases: TestCase[] = [];
    for (let at = from; at < summary.from; at += 1) {
      const verdict = /^(.*?) ?\.\.\. (?:.*\b)?(ok|skipped\b.*|expected failure)$/.exec(lines[at] ?? '');
      if (!verdict) continue;
      // With a docstring the test's name is on the line before.
      const title = [lines[at] ?? '', lines[at - 1] ?? '']
        .map((line) => /^(\w+) \(([\w.]+)\)/.exec(line))
        .find((match) => match !== null);
      if (title) cases.push({ ...names(title[1], title[2]), status: verdict[2] === 'ok' ? 'passed' : 'skipped' });
    }
    return [...cases, ...failures];
  },
};

function names(method = '', path = ''): { suite: string; name: string } {
  const suite = path.endsWith(`.${method}`) ? path.slice(0, -method.length - 1) : path;
  return { suite, name: method };
}

function readFailures(lines: readonly string[], from: number, until: number): TestCase[] {
  const failures: TestCase[] = [];
  for (let at = from; at < until; at += 1) {
    const match = /^(?:FAIL|ERROR): (\w+) \(([\w.]+)\)(.*)$/.exec(lines[at] ?? '');
    if (!match || !/^={20,}$/.test(lines[at - 1] ?? '')) continue;
    const named = names(match[1], match[2]);
    const start = lines.findIndex((line, index) => index > at && /^-{20,}$/.test(line)) + 1;
    let end = start;
    while (end < until && !/^(={20,}|-{20,})$/.test(lines[end] ?? '')) end += 1;
    const text = textOf(lines, start, end);
    const message = text
      .split('\n')
      .findLast((line) => /^\w[\w.]*(Error|Exception|Warning|Interrupt|Exit)?(:|$)/.test(line));
    failures.push({
      ...named,
      name: `${named.name}${match[3] ?? ''}`,
      status: 'failed',
      ...failureOf(text),
      ...(message ? { message } : {}),
    });
  }
  return failures;
}
