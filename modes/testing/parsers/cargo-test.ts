import type { TestCase } from '../test-report.ts';
import { countsOf, failureOf, numberBefore, textOf } from './parser.ts';
import type { Parser } from './parser.ts';

/** `cargo test`: one summary for each test program and for the doc-tests of each crate. */
export const cargoTest: Parser = {
  name: 'cargo test',

  summaries(lines) {
    return lines.flatMap((line, at) => {
      const match = /^test result: (?:ok|FAILED)\. (.*)$/.exec(line);
      if (!match?.[1]) return [];
      const counts = countsOf({
        passed: numberBefore(match[1], /passed/),
        failed: numberBefore(match[1], /failed/),
        skipped: numberBefore(match[1], /ignored/),
      });
      return [{ from: at, to: at, counts }];
    });
  },

  cases(lines, { from, summary }) {
    const cases: TestCase[] = [];
    let suite = '';
    for (let at = from; at < summary.from; at += 1) {
      const line = lines[at] ?? '';
      const program = /^\s+(?:Running (?:unittests )?(.+?) \(|(Doc-tests .+)$)/.exec(line);
      if (program) suite = program[1] ?? program[2] ?? '';
      const match = /^test (.+?)(?: - should panic)? \.\.\. (?:.*\b)?(ok|FAILED|ignored)(?:, .*)?$/.exec(line);
      if (!match?.[1]) continue;
      const failed = match[2] === 'FAILED';
      cases.push({
        suite,
        name: match[1],
        status: failed ? 'failed' : match[2] === 'ok' ? 'passed' : 'skipped',
        ...(failed ? failure(lines, at, summary.from, match[1]) : {}),
      });
    }
    return cases;
  },
};

function failure(
  lines: readonly string[],
  from: number,
  until: number,
  name: string,
): { message: string; output: string } | undefined {
  const start = lines.findIndex((line, at) => at > from && at < until && line === `---- ${name} stdout ----`);
  if (start < 0) return undefined;
  let end = start + 1;
  while (end < until && !/^(---- .+ stdout ----|failures:)$/.test(lines[end] ?? '')) end += 1;
  const text = textOf(lines, start + 1, end)
    .replace(/\nstack backtrace:\n[\s\S]*?(?=\nnote: |$)/, '')
    .replace(/\nnote: .*$/m, '')
    .trimEnd();
  const panicked = /panicked at [^\n]*\n(.+)/.exec(text)?.[1];
  return { ...failureOf(text), ...(panicked ? { message: panicked } : {}) };
}
