import type { createAnalysisActivities } from '../activities/analysis.ts';
import type { ModeInput, ModeOutput } from '../contracts/workflow.ts';
import { proxyActivities } from './activities.ts';
import { planningPrompt } from './agent-prompts.ts';
import { ModeAgents } from './mode-agents.ts';
import { PauseGate } from './pause-gate.ts';
import { finishHandlers } from './steps.ts';

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
  const markdown =
    agents.atHand && analysis.tasks > 0
      ? await planWithAgent(agents, input, analysis.plan, analysis.markdown)
      : analysis.markdown;
  await finishHandlers();
  return {
    phase: {
      status: analysis.tasks === 0 ? 'failed' : 'succeeded',
      summary: analysis.summary,
      steps: { run: 0, cached: 0 },
      durationMs: Date.now() - startedAt,
      ...agents.spending,
      artifacts: { 'plan.json': analysis.plan, 'plan.md': markdown },
    },
    snapshot: input.snapshot,
    outcomes: [],
    plan: analysis.plan,
    ...agents.conversation,
  };
}

/** Has an agent look at the sources and say how to reach the goal. Returns the blob hash of the page with both plans. */
async function planWithAgent(agents: ModeAgents, input: ModeInput, plan: string, markdown: string): Promise<string> {
  const { text } = await agents.ask({
    title: 'Plan the goal',
    prompt: planningPrompt(input.request.goal),
    snapshot: input.snapshot,
    plan,
    readOnly: true,
  });
  return await addApproach({ markdown, approach: text });
}
