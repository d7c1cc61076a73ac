import { createHash } from 'node:crypto';
import type { Info } from '@temporalio/activity';

/** The same for every attempt of one activity, different for every other activity there ever was; `part` tells its steps apart. */
export function executionIdOf(info: Info, part = ''): string {
  const { workflowId, runId } = info.workflowExecution ?? { workflowId: '', runId: '' };
  const name = `${workflowId}\n${runId}\n${info.activityId}${part && `\n${part}`}`;
  return createHash('sha256').update(name).digest('hex').slice(0, 40);
}
