import type { createAnalysisActivities } from '../activities/analysis.ts';
import type { createReportActivities } from '../activities/reports.ts';
import type { ModeInput, ModeOutput, TaskOutcome } from '../contracts/workflow.ts';
import { proxyActivities } from './activities.ts';
import { missingTestsPrompt } from './agent-prompts.ts';
import { ModeAgents, type Work } from './mode-agents.ts';
import { PauseGate } from './pause-gate.ts';
import { countSteps, describeFailures, finishHandlers, runTasks } from './steps.ts';

const { reportTests } = proxyActivities<ReturnType<typeof createReportActivities>>({
  // Parses the logs of all test tasks, up to the log limit each.
  startToCloseTimeout: '10m',
  summary: 'Count the tests and write one report',
});

const { findUntested } = proxyActivities<ReturnType<typeof createAnalysisActivities>>({
  startToCloseTimeout: '10m',
  summary: 'Look for tests of what changed',
});

/**
 * Runs the project's own tests, one step per package, wherever there are free nodes. With a model, an agent writes tests first when the job changed sources
 * without any, and explains and mends what fails.
 */
export async function testing(input: ModeInput): Promise<ModeOutput> {
  const gate = new PauseGate();
  const startedAt = Date.now();
  const agents = new ModeAgents(input, 'testing', gate);
  const given = { snapshot: input.snapshot, plan: input.plan! };
  const tested = await writeMissingTests(agents, input, given);
  const { work, outcomes } = await agents.runAndMend(tested, 'tests', ({ snapshot, plan }) =>
    runTasks({
      input,
      phase: 'testing',
      snapshot,
      plan,
      kinds: ['install', 'build', 'test'],
      known: snapshot === input.snapshot ? input.baseline : [],
      gate,
    }),
  );
  const ranBefore = new Set(work.snapshot === input.snapshot ? input.baseline.map((outcome) => outcome.taskId) : []);
  const tests = outcomes.filter((outcome) => outcome.kind === 'test');
  const { explanations } = agents;
  const report = await reportTests({ jobId: input.jobId, project: input.project, outcomes: tests, explanations });
  const failed = outcomes.filter((outcome) => !outcome.succeeded);
  await finishHandlers();
  return {
    phase: {
      status: tests.length === 0 ? 'skipped' : failed.length > 0 ? 'failed' : 'succeeded',
      summary: summarise(tests, failed, report.counts),
      steps: countSteps(outcomes.filter((outcome) => !ranBefore.has(outcome.taskId))),
      durationMs: Date.now() - startedAt,
      tests: report.counts,
      ...agents.spending,
      artifacts: report.artifacts,
    },
    ...work,
    outcomes,
    ...agents.conversation,
  };
}

/** Tests for what the job changed, when it changed none. */
async function writeMissingTests(agents: ModeAgents, input: ModeInput, work: Work): Promise<Work> {
  const { project, source, request } = input;
  if (!agents.atHand || source === undefined || source.snapshot === work.snapshot) return work;
  const untested = await findUntested({ project, from: source.snapshot, to: work.snapshot });
  if (untested.length === 0) return work;
  return await agents.change(work, 'Write the missing tests', missingTestsPrompt(request.goal, untested));
}

function summarise(
  tests: TaskOutcome[],
  failed: TaskOutcome[],
  counts: { passed: number; failed: number; skipped: number },
): string {
  if (tests.length === 0) return 'the project has no tests that were found';
  const numbers = `${counts.passed} passed, ${counts.failed} failed${counts.skipped > 0 ? `, ${counts.skipped} skipped` : ''}`;
  return failed.length > 0 ? `${numbers}; ${describeFailures(failed)}` : numbers;
}
