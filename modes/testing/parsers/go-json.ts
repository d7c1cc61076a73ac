import type { TestCase } from '../test-report.ts';
import { failureOf, tally } from './parser.ts';
import type { Parser } from './parser.ts';

interface GoEvent {
  Action: string;
  Package?: string;
  Test?: string;
  Elapsed?: number;
  Output?: string;
}

/** `go test -json`. Subtests count as tests, as Go prints a result for each. */
export const goJson: Parser = {
  name: 'go test',

  summaries(lines) {
    const at = lines.flatMap((line, index) => (parseGoEvent(line) ? [index] : []));
    const [first] = at;
    const last = at.at(-1);
    if (first === undefined || last === undefined) return [];
    return [{ start: first, from: first, to: last, counts: tally(readCases(lines.slice(first, last + 1))) }];
  },

  cases: (lines, { summary }) => readCases(lines.slice(summary.from, summary.to + 1)),
};

/** An event of test2json; undefined for any other line. */
export function parseGoEvent(line: string): GoEvent | undefined {
  if (!line.startsWith('{"') || !line.includes('"Action":')) return undefined;
  try {
    const event: unknown = JSON.parse(line);
    return typeof event === 'object' &&
      event !== null &&
      'Action' in event &&
      ('Package' in event || 'ImportPath' in event)
      ? (event as GoEvent)
      : undefined;
  } catch {
    return undefined;
  }
}

const statuses: Record<string, TestCase['status']> = { pass: 'passed', fail: 'failed', skip: 'skipped' };

function readCases(lines: readonly string[]): TestCase[] {
  const cases = new Map<string, TestCase>();
  const outputs = new Map<string, string[]>();
  for (const event of lines.map(parseGoEvent)) {
    if (!event?.Test) continue;
    const key = `${event.Package} ${event.Test}`;
    const status = statuses[event.Action];
    if (event.Action === 'run') {
      // Stays so when the test process dies before the test ends.
      cases.set(key, { suite: event.Package ?? '', name: event.Test, status: 'failed', message: 'did not finish' });
    } else if (event.Action === 'output') {
      const output = outputs.get(key);
      if (output) output.push(event.Output ?? '');
      else outputs.set(key, [event.Output ?? '']);
    } else if (status) {
      const output = (outputs.get(key) ?? [])
        .filter((line) => !/^\s*(===|---) /.test(line))
        .join('')
        .trimEnd();
      cases.set(key, {
        suite: event.Package ?? '',
        name: event.Test,
        status,
        ...(event.Elapsed === undefined ? {} : { durationMs: Math.round(event.Elapsed * 1000) }),
        ...(status === 'failed' ? failureOf(output) : {}),
      });
      outputs.delete(key);
    }
  }
  return [...cases.values()];
}
