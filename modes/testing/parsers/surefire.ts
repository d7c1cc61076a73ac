import { countsOf } from './parser.ts';
import type { Parser } from './parser.ts';

/** Maven's surefire, one summary for each module. Its cases come from the XML reports. */
export const surefire: Parser = {
  name: 'surefire',

  summaries(lines) {
    return lines.flatMap((line, at) => {
      const match = /^(?:\[\w+\]\s+)?Tests run: (\d+), Failures: (\d+), Errors: (\d+), Skipped: (\d+)\s*$/.exec(line);
      if (!match) return [];
      const [total = 0, failures = 0, errors = 0, skipped = 0] = match.slice(1).map(Number);
      return [
        {
          from: at,
          to: at,
          counts: countsOf({ passed: total - failures - errors - skipped, failed: failures + errors, skipped }),
        },
      ];
    });
  },

  cases: () => [],
};
