import type { ProgressRecord } from '../contracts/workflow.ts';
import type { Database } from '../db/database.ts';
import { appendEvents } from '../db/events.ts';
import { insertJob, updateJob } from '../db/jobs.ts';
import { activityGroup } from './activity-group.ts';

export interface RecordDeps {
  database: Database;
  /** Address of a workflow in the Web UI. */
  webUrl(workflowId: string): string | null;
}

/** Projections of workflows into PostgreSQL. */
export function createRecordActivities({ database, webUrl }: RecordDeps) {
  return activityGroup({
    /** Writes a job's state and its new events. Safe to repeat. */
    async recordProgress({ job, events, patch }: ProgressRecord): Promise<void> {
      const { jobId, workflowId, project, request } = job;
      // Together, so that whoever sees an event sees the state that goes with it.
      await database.transaction(async (transaction) => {
        await insertJob(transaction, { jobId, workflowId, project, request, webUrl: webUrl(workflowId) });
        await updateJob(transaction, jobId, patch);
        if (events.length > 0) await appendEvents(transaction, jobId, events);
      });
    },
  });
}
