import { Context } from '@temporalio/activity';
import type { Spending } from '../contracts/agent.ts';
import type { Database } from '../db/database.ts';
import { closeModelCall, closeModelCallsOf } from '../db/model-calls.ts';
import { activityGroup } from './activity-group.ts';
import { executionIdOf } from './execution-id.ts';

/** What was spent by those who could not say it themselves: calls and agents that failed, were cancelled or were lost. */
export function createSpendingActivities({ database }: { database: Database }) {
  return activityGroup({
    /** Closes a call of the asking workflow by the id of its activity. What was sent and never answered counts with all that it could cost. */
    async settleModelCall({ jobId, activityId }: { jobId: string; activityId: string }): Promise<Spending> {
      const { info } = Context.current();
      const turn = info.workflowExecution?.workflowId ?? '';
      return await closeModelCall(database, { jobId, turn, callId: executionIdOf({ ...info, activityId }) });
    },

    /** The same for all calls of the workflow `turn` and of those below it, which have ended. */
    async settleTurn({ jobId, turn }: { jobId: string; turn: string }): Promise<Spending> {
      return await closeModelCallsOf(database, jobId, turn);
    },
  });
}
