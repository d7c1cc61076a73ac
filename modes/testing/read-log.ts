import type { TestCounts } from '../../contracts/job.ts';
import type { TestCase } from './test-report.ts';
import type { Parser, Summary } from './parsers/parser.ts';
import { parsers } from './parsers/registry.ts';

/** One run of one test runner within a log. */
export interface RunnerResult {
  runner: string;
  counts: TestCounts;
  cases: TestCase[];
}

interface Found {
  parser: Parser;
  summary: Summary;
}

/**
 * Every run of every known runner in a log, in order. A run inside another's (a program that CTest started, a runner tested by a runner)
 * is the outer one's output and does not count.
 */
export function readLog(lines: readonly string[]): RunnerResult[] {
  const all = parsers.flatMap((parser) => parser.summaries(lines).map((summary): Found => ({ parser, summary })));
  const outer = all.filter(
    (found, index) => !all.some((other, place) => other !== found && covers(other, found, place < index)),
  );
  outer.sort((a, b) => a.summary.from - b.summary.from);
  let from = 0;
  return outer.map(({ parser, summary }, index) => {
    const next = outer[index + 1]?.summary;
    const cases = parser.cases(lines, {
      from: summary.start ?? from,
      summary,
      until: next?.start ?? next?.from ?? lines.length,
    });
    from = summary.to + 1;
    return { runner: parser.name, counts: parser.settle?.(summary.counts, cases) ?? summary.counts, cases };
  });
}

function covers(outer: Found, inner: Found, earlier: boolean): boolean {
  const [outerFrom, innerFrom] = [outer.summary.start ?? outer.summary.from, inner.summary.start ?? inner.summary.from];
  const inside = outerFrom <= innerFrom && inner.summary.to <= outer.summary.to;
  const same = outerFrom === innerFrom && inner.summary.to === outer.summary.to;
  return inside && (!same || earlier);
}
