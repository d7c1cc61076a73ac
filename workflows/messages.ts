import { defineQuery, defineSignal, defineUpdate } from '@temporalio/workflow';
import type { Checkpoint, JobStatus } from '../contracts/job.ts';
import type { ImportedSource } from '../contracts/snapshot.ts';

// Sent to devJob. Each is idempotent: saying it twice is the same as saying it once.
export const approveUpdate = defineUpdate<void>('approve');
export const rejectUpdate = defineUpdate<void, [reason: string]>('reject');
export const pauseUpdate = defineUpdate<void>('pause');
export const resumeUpdate = defineUpdate<void>('resume');
export const rollbackToUpdate = defineUpdate<void, [checkpointId: string]>('rollbackTo');
export const jobStateQuery = defineQuery<JobStateView>('jobState');

// Sent by devJob to the mode that is running.
export const pauseSignal = defineSignal('pause');
export const resumeSignal = defineSignal('resume');

// Sent by a mode to the devJob that started it.
export const checkpointSignal = defineSignal<[Omit<Checkpoint, 'id'>]>('checkpoint');

export interface JobStateView {
  status: JobStatus;
  phase: string | null;
  checkpoints: Checkpoint[];
  /** Null until the source is imported. */
  imported: ImportedSource | null;
}
