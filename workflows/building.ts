import type { ModeInput, ModeOutput } from '../contracts/workflow.ts';
import { PauseGate } from './pause-gate.ts';
import { countSteps, describeFailures, finishHandlers, runTasks } from './steps.ts';

/** Installs dependencies and builds every package, in the order of the package graph. */
export async function building(input: ModeInput): Promise<ModeOutput> {
  const gate = new PauseGate();
  const startedAt = Date.now();
  const outcomes = await runTasks({
    input,
    phase: 'building',
    snapshot: input.snapshot,
    kinds: ['install', 'build'],
    known: input.baseline,
    gate,
  });
  const failed = outcomes.filter((outcome) => !outcome.succeeded);
  const builds = outcomes.filter((outcome) => outcome.kind === 'build').length;
  await finishHandlers();
  return {
    phase: {
      status: failed.length > 0 ? 'failed' : outcomes.length === 0 ? 'skipped' : 'succeeded',
      summary:
        failed.length > 0
          ? describeFailures(failed)
          : outcomes.length === 0
            ? 'nothing has to be built'
            : `${builds} ${builds === 1 ? 'package' : 'packages'} built`,
      steps: countSteps(outcomes),
      durationMs: Date.now() - startedAt,
      artifacts: {},
    },
    snapshot: input.snapshot,
    outcomes,
  };
}
