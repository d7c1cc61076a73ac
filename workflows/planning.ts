import type { createAnalysisActivities } from '../activities/analysis.ts';
import type { ModeInput, ModeOutput } from '../contracts/workflow.ts';
import { proxyActivities } from './activities.ts';
import { planningPrompt } from './agent-prompts.ts';
import { ItemGraph } from './item-graph.ts';
import { ModeAgents } from './mode-agents.ts';
import { PauseGate } from './pause-gate.ts';
import { finishHandlers } from './steps.ts';
import { tellItems } from './tell-job.ts';

const { analyseProject, addApproach } = proxyActivities<ReturnType<typeof createAnalysisActivities>>({
  // Reads every manifest and counts lines: seconds on large repositories.
  startToCloseTimeout: '10m',
  summary: 'Read the sources and draw up the plan',
  retry: { maximumInterval: '30s' },
});

/** Looks at the sources and says what there is, what will be run, in which order and on what. */
export async function planning(input: ModeInput): Promise<ModeOutput> {
  const startedAt = Date.now();
  const analysis = await analyseProject({ project: input.project, snapshot: input.snapshot, request: input.request });
  const agents = new ModeAgents(input, 'planning', new PauseGate());
  const { plan, markdown } =
    agents.atHand && analysis.tasks > 0 ? await planWithAgent(agents, input, analysis) : analysis;
  await finishHandlers();
  return {
    phase: {
      status: analysis.tasks === 0 ? 'failed' : 'succeeded',
      summary: analysis.summary,
      steps: { run: 0, cached: 0 },
      durationMs: Date.now() - startedAt,
      ...agents.spending,
      artifacts: { 'plan.json': plan, 'plan.md': markdown },
    },
    snapshot: input.snapshot,
    outcomes: [],
    plan,
    ...agents.conversation,
  };
}

interface Planned {
  /** Blob hashes. */
  plan: string;
  markdown: string;
}

/** Has an agent look at the sources and say how to reach the goal, and how the work can be divided. */
async function planWithAgent(agents: ModeAgents, input: ModeInput, { plan, markdown }: Planned): Promise<Planned> {
  const { head, work } = await agents.ask({
    title: 'Plan the goal',
    prompt: planningPrompt(input.request.goal),
    snapshot: input.snapshot,
    plan,
    isPlanning: true,
  });
  // It was stopped before it began.
  if (!head) return { plan, markdown };
  const { items, ...planned } = await addApproach({ plan, markdown, head, ...(work === undefined ? {} : { work }) });
  if (items.length > 0) await tellItems(new ItemGraph(items).views);
  return planned;
}
