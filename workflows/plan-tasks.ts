import { proxyActivities } from '@temporalio/workflow';
import type { createAnalysisActivities } from '../activities/analysis.ts';
import type { Task } from '../contracts/plan.ts';
import type { PlannedTask } from '../contracts/workflow.ts';

const activities = proxyActivities<ReturnType<typeof createAnalysisActivities>>({
  startToCloseTimeout: '1m',
  summary: 'Read the tasks of the plan',
});

/** The plan's tasks of some kinds. The plan itself stays in the blob store: histories hold its hash. */
export async function loadTasks(plan: string, kinds: Task['kind'][]): Promise<PlannedTask[]> {
  return await activities.loadTasks({ plan, kinds });
}
