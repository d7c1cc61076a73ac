import { proxyLocalActivities, workflowInfo } from '@temporalio/workflow';
import type { createRecordActivities } from '../activities/records.ts';
import type { createSourceActivities } from '../activities/sources.ts';
import type { JobResult } from '../contracts/job.ts';
import type { RollbackInput } from '../contracts/workflow.ts';
import { proxyActivities } from './activities.ts';
import { sourceTaskQueue } from './task-queues.ts';

const { publish } = proxyActivities<ReturnType<typeof createSourceActivities>>({
  taskQueue: sourceTaskQueue,
  startToCloseTimeout: '10m',
  summary: 'Publish the checkpoint',
  retry: { maximumInterval: '30s' },
});
const { recordProgress } = proxyLocalActivities<ReturnType<typeof createRecordActivities>>({
  startToCloseTimeout: '10s',
});

/** Goes back to a checkpoint of a job that has ended: its branch then holds that checkpoint. */
export async function rollbackFinishedJob(input: RollbackInput): Promise<JobResult> {
  const { job, result, imported } = input;
  const index = result.checkpoints.findIndex((checkpoint) => checkpoint.id === input.checkpointId);
  const checkpoint = result.checkpoints[index]!;
  const published = await publish({
    jobId: job.jobId,
    project: job.project,
    source: job.request.source,
    imported,
    goal: job.request.goal,
    checkpoints: result.checkpoints.slice(0, index + 1),
    force: true,
  });
  const rolledBack: JobResult = { ...result, ...published, snapshot: checkpoint.snapshot };
  await recordProgress({
    job: { ...job, workflowId: job.jobId },
    events: [
      { key: workflowInfo().runId, at: new Date().toISOString(), data: { type: 'job.rolled-back', checkpoint } },
    ],
    patch: { result: rolledBack },
  });
  return rolledBack;
}
