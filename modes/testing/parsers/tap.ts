import type { TestCase } from '../test-report.ts';
import { countsOf, tally } from './parser.ts';
import type { Parser, Summary } from './parser.ts';

const point = /^(\s*)(not ok|ok) (\d+)(?:\s+-)?(?:\s+(.*?))?\s*$/;
const summaryLine = /^# (tests|suites|pass|fail|cancelled|skipped|skip|todo|duration_ms)\s+([\d.]+)$/;

/** TAP as tape, node:test, node-tap, mocha and ava write it. Without a summary (node-tap) the points that have no subtests count. */
export const tap: Parser = {
  name: 'tap',

  summaries(lines) {
    const found: Summary[] = [];
    let start: number | undefined;
    let last = 0;
    let isTap = false;
    const close = (summary?: { from: number; to: number; numbers: Map<string, number> }): void => {
      if (start !== undefined && (isTap || summary)) {
        const cases = readCases(lines, start, last + 1);
        const counts = summary ? summaryCounts(summary.numbers, cases.length) : tally(cases);
        if (cases.length > 0) found.push({ start, from: summary?.from ?? last, to: summary?.to ?? last, counts });
      }
      start = undefined;
      isTap = false;
    };
    for (let at = 0; at < lines.length; at += 1) {
      const line = lines[at] ?? '';
      if (/^TAP version \d+/.test(line)) {
        close();
        start = at;
        isTap = true;
      } else if (point.test(line)) {
        start ??= at;
        last = at;
      } else if (/^1\.\.\d+/.test(line) && start !== undefined) {
        isTap = true;
        last = at;
      } else if (/^# tests\s+\d+$/.test(line) && start !== undefined) {
        const { to, numbers } = readSummary(lines, at);
        last = to;
        close({ from: at, to, numbers });
        at = to;
      }
    }
    close();
    return found;
  },

  cases(lines, { summary, from }) {
    const cases = readCases(lines, summary.start ?? from, summary.to + 1);
    // Tape counts skipped and to-do assertions as passed: its cases are shown as it counts them.
    const { passed, failed, skipped } = summary.counts;
    const asTape = skipped === 0 && tally(cases).skipped > 0 && cases.length === passed + failed;
    return asTape ? cases.map((each) => (each.status === 'skipped' ? { ...each, status: 'passed' } : each)) : cases;
  },
};

function readSummary(lines: readonly string[], from: number): { to: number; numbers: Map<string, number> } {
  const numbers = new Map<string, number>();
  let to = from;
  for (let at = from; at < lines.length; at += 1) {
    const match = summaryLine.exec(lines[at] ?? '');
    if (!match?.[1]) break;
    numbers.set(match[1], Number(match[2]));
    to = at;
  }
  return { to, numbers };
}

function summaryCounts(numbers: ReadonlyMap<string, number>, points: number): ReturnType<typeof countsOf> {
  const get = (key: string): number => numbers.get(key) ?? 0;
  // Only node:test says "cancelled". Mocha leaves skipped tests out of "# tests".
  if (numbers.has('cancelled'))
    return countsOf({
      passed: get('pass'),
      failed: get('fail') + get('cancelled'),
      skipped: get('skipped') + get('todo'),
    });
  const skipped = numbers.has('skip') ? get('skip') : Math.max(0, points - get('tests'));
  return countsOf({ passed: get('pass'), failed: get('fail'), skipped });
}

function readCases(lines: readonly string[], from: number, until: number): TestCase[] {
  const cases: TestCase[] = [];
  const names = new Map<number, string>();
  let group = '';
  let deepest = -1;
  for (let at = from; at < until; at += 1) {
    const line = lines[at] ?? '';
    const subtest = /^(\s*)# Subtest: (.*)$/.exec(line);
    if (subtest) names.set(subtest[1]?.length ?? 0, subtest[2] ?? '');
    else if (/^# /.test(line) && !summaryLine.test(line)) group = line.slice(2);
    const match = point.exec(line);
    if (!match) continue;
    const indent = match[1]?.length ?? 0;
    const parent = deepest > indent;
    deepest = indent;
    const details = yamlAfter(lines, at, until);
    // A point after deeper ones sums them up. node:test says which of these are suites; the others it counts as tests.
    if (parent && (details === '' || !/^\s*type: 'test'$/m.test(details))) continue;
    const { name, directive } = splitDirective(match[4] ?? '');
    const above = [...names]
      .filter(([depth]) => depth < indent)
      .sort(([a], [b]) => a - b)
      .map(([, title]) => title);
    const passed = match[2] === 'ok';
    cases.push({
      suite: above.length > 0 ? above.join(' > ') : subtestsUsed(names) ? '' : group,
      name: name || `assertion ${match[3]}`,
      status: directive ? 'skipped' : passed ? 'passed' : 'failed',
      ...duration(details),
      ...(!passed && !directive ? { message: messageOf(details), output: details } : {}),
    });
  }
  return cases;
}

function subtestsUsed(names: ReadonlyMap<number, string>): boolean {
  return names.size > 0;
}

function splitDirective(text: string): { name: string; directive: string | undefined } {
  const match = /^(.*?)\s*(?<!\\)#\s*(SKIP|TODO)\b.*$/i.exec(text);
  const name = (match?.[1] ?? text.replace(/\s# time=[\d.]+m?s.*$/, '')).replaceAll('\\#', '#').trim();
  return { name, directive: match?.[2] };
}

/** The block between `---` and `...` that follows a point, or mocha's indented lines. */
function yamlAfter(lines: readonly string[], at: number, until: number): string {
  const indent = /^\s*/.exec(lines[at] ?? '')?.[0].length ?? 0;
  const block: string[] = [];
  const yaml = /^\s+---\s*$/.test(lines[at + 1] ?? '');
  for (let next = at + (yaml ? 2 : 1); next < until; next += 1) {
    const line = lines[next] ?? '';
    if (
      yaml
        ? line.trim() === '...' && /^\s*/.exec(line)?.[0].length === indent + 2
        : !/^\s+\S/.test(line) || point.test(line) || /^\s*(#|\d+\.\.\d)/.test(line)
    )
      break;
    block.push(line);
  }
  return block.join('\n').trimEnd();
}

function messageOf(details: string): string {
  const value = (key: string): string | undefined =>
    new RegExp(`^\\s*${key}:\\s*(\\S.*)$`, 'm').exec(details)?.[1]?.replace(/^'(.*)'$/, '$1');
  const said = value('error') ?? value('message');
  if (said && !/^[|>]/.test(said) && said !== "''") return said;
  const expected = value('expected');
  const actual = value('actual');
  if (expected !== undefined && actual !== undefined) return `expected ${expected}, got ${actual}`;
  return (
    details
      .split('\n')
      .map((line) => line.trim())
      .find((line) => line !== '' && !/^\w+: *[|>]?-?$/.test(line)) ?? 'not ok'
  );
}

function duration(details: string): { durationMs?: number } {
  const ms = /^\s*duration_ms: ([\d.]+)$/m.exec(details)?.[1];
  return ms === undefined ? {} : { durationMs: Number(ms) };
}
