import type { createAgentActivities } from '../activities/agent.ts';
import type { ModeInput, ModeOutput, TaskOutcome } from '../contracts/workflow.ts';
import { proxyActivities } from './activities.ts';
import { buildingPrompt } from './agent-prompts.ts';
import { describeItems } from './item-graph.ts';
import { ModeAgents, type Work } from './mode-agents.ts';
import { ParallelWork } from './parallel-work.ts';
import { PauseGate } from './pause-gate.ts';
import { countSteps, describeFailures, finishHandlers, runTasks } from './steps.ts';

const { openWork } = proxyActivities<ReturnType<typeof createAgentActivities>>({
  startToCloseTimeout: '5m',
  summary: 'Read the work items of the plan',
  retry: { initialInterval: '200ms', maximumInterval: '10s' },
});

interface Implemented {
  work: Work;
  /** Why something of the goal is missing. */
  failure?: string | undefined;
  /** The work items, where there are some, as Markdown. */
  items?: string;
}

/**
 * Installs dependencies and builds every package, in the order of the package graph. With a model, an agent implements the goal first, or several at once
 * where the plan divides the work.
 */
export async function building(input: ModeInput): Promise<ModeOutput> {
  const gate = new PauseGate();
  const startedAt = Date.now();
  const agents = new ModeAgents(input, 'building', gate);
  const given = { snapshot: input.snapshot, plan: input.plan! };
  const { work: changed, failure, items } = agents.atHand ? await implement(agents, input, given) : { work: given };
  const { work, outcomes } =
    failure === undefined
      ? await agents.runAndMend(changed, 'build', ({ snapshot, plan }) =>
          runTasks({
            input,
            phase: 'building',
            snapshot,
            plan,
            kinds: ['install', 'build'],
            known: snapshot === input.snapshot ? input.baseline : [],
            gate,
            ...(items === undefined ? {} : { above: items }),
          }),
        )
      : { work: changed, outcomes: [] };
  const failed = outcomes.filter((outcome) => !outcome.succeeded);
  const hasFailed = failure !== undefined || failed.length > 0;
  await finishHandlers();
  return {
    phase: {
      status: hasFailed ? 'failed' : outcomes.length === 0 && !agents.atHand ? 'skipped' : 'succeeded',
      summary: failure ?? summarise(outcomes, failed),
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

/** Without work items in the plan, one agent does it all. */
async function implement(agents: ModeAgents, input: ModeInput, work: Work): Promise<Implemented> {
  const { jobId, project, request, conversation } = input;
  const isPlanned = conversation !== undefined;
  const { items, head } = isPlanned
    ? await openWork({ job: { jobId, project, request }, ...work, model: request.model! })
    : { items: [], head: null };
  if (head === null)
    return { work: await agents.change(work, 'Implement the goal', buildingPrompt(request.goal, isPlanned)) };
  const parallel = new ParallelWork(agents, input, work, { items, head });
  return { ...(await parallel.run()), items: describeItems(parallel.graph.views) };
}

function summarise(outcomes: readonly TaskOutcome[], failed: readonly TaskOutcome[]): string {
  if (failed.length > 0) return describeFailures(failed);
  if (outcomes.length === 0) return 'nothing has to be built';
  const builds = outcomes.filter((outcome) => outcome.kind === 'build').length;
  return `${builds} ${builds === 1 ? 'package' : 'packages'} built`;
}
