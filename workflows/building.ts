import type { ModeInput, ModeOutput } from '../contracts/workflow.ts';
import { buildingPrompt } from './agent-prompts.ts';
import { ModeAgents } from './mode-agents.ts';
import { PauseGate } from './pause-gate.ts';
import { countSteps, describeFailures, finishHandlers, runTasks } from './steps.ts';

/** Installs dependencies and builds every package, in the order of the package graph. With a model, an agent implements the goal first. */
export async function building(input: ModeInput): Promise<ModeOutput> {
  const gate = new PauseGate();
  const startedAt = Date.now();
  const agents = new ModeAgents(input, 'building', gate);
  const given = { snapshot: input.snapshot, plan: input.plan! };
  const changed = agents.atHand
    ? await agents.change(
        given,
        'Implement the goal',
        buildingPrompt(input.request.goal, input.conversation !== undefined),
      )
    : given;
  const { work, outcomes } = await agents.runAndMend(changed, 'build', ({ snapshot, plan }) =>
    runTasks({
      input,
      phase: 'building',
      snapshot,
      plan,
      kinds: ['install', 'build'],
      known: snapshot === input.snapshot ? input.baseline : [],
      gate,
    }),
  );
  const failed = outcomes.filter((outcome) => !outcome.succeeded);
  const builds = outcomes.filter((outcome) => outcome.kind === 'build').length;
  await finishHandlers();
  return {
    phase: {
      status: failed.length > 0 ? 'failed' : outcomes.length === 0 && !agents.atHand ? 'skipped' : 'succeeded',
      summary:
        failed.length > 0
          ? describeFailures(failed)
          : outcomes.length === 0
            ? 'nothing has to be built'
            : `${builds} ${builds === 1 ? 'package' : 'packages'} built`,
      steps: countSteps(outcomes),
      durationMs: Date.now() - startedAt,
      ...agents.spending,
      artifacts: {},
    },
    ...work,
    outcomes,
    ...agents.conversation,
  };
}
