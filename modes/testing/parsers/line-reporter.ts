import { countsOf } from './parser.ts';
import type { Parser } from './parser.ts';

/** Reporters of node:test that end with "Passed: N", "Failed: N", "Total: N" (@jsumners/line-reporter). They name no tests. */
export const lineReporter: Parser = {
  name: 'line-reporter',

  summaries(lines) {
    return lines.flatMap((line, at) => {
      const numbers = ['Passed', 'Failed', 'Total'].map(
        (word, index) => new RegExp(`^${word}: (\\d+)\\s*$`).exec(lines[at + index] ?? '')?.[1],
      );
      if (!line.startsWith('Passed:') || numbers.includes(undefined)) return [];
      const [passed = 0, failed = 0, total = 0] = numbers.map(Number);
      return [
        { from: at, to: at + 2, counts: countsOf({ passed, failed, skipped: Math.max(0, total - passed - failed) }) },
      ];
    });
  },

  cases: () => [],
};
