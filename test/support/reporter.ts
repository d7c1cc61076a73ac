import { reporters, Runner } from 'mocha';
import type { MochaOptions, Suite, Test } from 'mocha';

const slowestShown = 15;

/** Mocha's spec reporter, with the reasons of skipped tests, the tests that came nearest to their time limits, and a last line that counts. */
export default class SummaryReporter extends reporters.Spec {
  readonly #tests: Test[] = [];
  #failed = 0;

  constructor(runner: Runner, options: MochaOptions) {
    super(runner, options);
    // A failed hook is a failure without a test of its own, so failures are counted and not the tests that failed.
    runner.on(Runner.constants.EVENT_TEST_FAIL, () => this.#failed++);
    runner.on(Runner.constants.EVENT_TEST_END, (test: Test) => this.#tests.push(test));
    runner.once(Runner.constants.EVENT_RUN_END, () => this.#summarise());
  }

  #summarise(): void {
    const skipped = this.#tests.filter((test) => test.isPending());
    const passed = this.#tests.filter((test) => test.isPassed());
    list(
      'Skipped:',
      skipped.map((test) => `${test.fullTitle()}: ${reasonOf(test)}`),
    );
    const slowest = passed.toSorted((a, b) => shareOfLimit(b) - shareOfLimit(a)).slice(0, slowestShown);
    list(
      'Slowest:',
      slowest.map((test) => `${String(test.duration ?? 0).padStart(6)} of ${test.timeout()} ms  ${test.fullTitle()}`),
    );
    const counts = [`${passed.length} passed`, `${this.#failed} failed`];
    if (skipped.length > 0) counts.push(`${skipped.length} skipped`);
    console.log(counts.join(', '));
  }
}

function shareOfLimit(test: Test): number {
  return (test.duration ?? 0) / test.timeout();
}

/** A test or a suite that is skipped says why in a property `skipReason`. */
function reasonOf(test: Test): string {
  for (let item: Test | Suite | undefined = test; item; item = item.parent) {
    const reason = (item as { skipReason?: unknown }).skipReason;
    if (typeof reason === 'string') return reason;
  }
  return 'no reason given';
}

function list(title: string, lines: string[]): void {
  if (lines.length === 0) return;
  console.log(`${title}\n${lines.map((line) => `  ${line}`).join('\n')}\n`);
}
