import { getExternalWorkflowHandle, workflowInfo } from '@temporalio/workflow';
import type { Checkpoint } from '../contracts/job.ts';
import type { WorkItemView } from '../contracts/plan.ts';
import * as messages from './messages.ts';

/** Tells the job that started this mode; a mode that was started alone has nobody to tell. */
export async function tellCheckpoint(checkpoint: Omit<Checkpoint, 'id'>): Promise<void> {
  const { parent } = workflowInfo();
  if (parent) await getExternalWorkflowHandle(parent.workflowId).signal(messages.checkpointSignal, checkpoint);
}

/** Tells the job how far work items are; see `workItemsSignal`. */
export async function tellItems(items: WorkItemView[]): Promise<void> {
  const { parent } = workflowInfo();
  if (parent) await getExternalWorkflowHandle(parent.workflowId).signal(messages.workItemsSignal, items);
}
