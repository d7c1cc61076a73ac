import { proxyActivities } from '@temporalio/workflow';
import type { createAnalysisActivities } from '../activities/analysis.ts';
import type { ModeInput, ModeOutput } from '../contracts/workflow.ts';
import { finishHandlers } from './steps.ts';

const { analyseProject } = proxyActivities<ReturnType<typeof createAnalysisActivities>>({
  // Reads every manifest and counts lines: seconds on large repositories.
  startToCloseTimeout: '10m',
  summary: 'Read the sources and draw up the plan',
  retry: { maximumInterval: '30s' },
});

/** Looks at the sources and says what there is, what will be run, in which order and on what. */
export async function planning(input: ModeInput): Promise<ModeOutput> {
  const startedAt = Date.now();
  const analysis = await analyseProject({ project: input.project, snapshot: input.snapshot, request: input.request });
  await finishHandlers();
  return {
    phase: {
      status: analysis.tasks === 0 ? 'failed' : 'succeeded',
      summary: analysis.summary,
      steps: { run: 0, cached: 0 },
      durationMs: Date.now() - startedAt,
      artifacts: { 'plan.json': analysis.plan, 'plan.md': analysis.markdown },
    },
    snapshot: input.snapshot,
    outcomes: [],
    plan: analysis.plan,
  };
}
