import { type Client, WorkflowNotFoundError } from '@temporalio/client';
import { HelixError } from '../../contracts/error.ts';
import type { JobRequest } from '../../contracts/job.ts';
import { isFinalJobStatus } from '../../contracts/derived.ts';
import type { ChatSoFar } from '../../contracts/workflow.ts';
import type { Database } from '../../db/database.ts';
import { getJob, insertJob } from '../../db/jobs.ts';
import { nothingSpent } from '../../workflows/ledger.ts';
import * as messages from '../../workflows/messages.ts';
import type { ChatControl, Needs } from '../deps.ts';
import { fromTemporal, untilProcessed } from './failures.ts';
import { jobIdFor, startWorkflow } from './job-control.ts';

export interface ChatControlOptions {
  client: Client;
  database: Database;
  /** Address of a workflow in the Web UI. */
  webUrl(workflowId: string): string | null;
  /** Checks a model that is asked for; see ModelService. */
  chooseModels(wish: string, fallback: readonly string[], needs?: Needs): Promise<string[]>;
}

/** What users do in chats. A chat's id is its workflow's id, whatever run it is in. */
export function createChatControl({ client, database, webUrl, chooseModels }: ChatControlOptions): ChatControl {
  type Handle = ReturnType<Client['workflow']['getHandle']>;
  /** `ifGone` is for what is not asked of a chat that has ended. */
  const ask = async <T>(
    jobId: string,
    question: (handle: Handle) => Promise<T>,
    ifGone?: (jobId: string) => Promise<void>,
  ): Promise<T> => {
    try {
      return await untilProcessed(() => question(client.workflow.getHandle(jobId)));
    } catch (error) {
      if (error instanceof WorkflowNotFoundError) await ifGone?.(jobId);
      throw fromTemporal(error, jobId);
    }
  };
  const refuseEnded = async (jobId: string): Promise<void> => {
    const { status } = (await getJob(database, jobId))!;
    if (isFinalJobStatus(status))
      throw new HelixError(
        'job.wrong-state',
        `the chat ${jobId} has ended (${status}): "helix chat --resume ${jobId}" goes on in a new one`,
      );
  };
  const tell = async <T>(jobId: string, message: (handle: Handle) => Promise<T>): Promise<T> => {
    await refuseEnded(jobId);
    // It may end while the message is on its way.
    return await ask(jobId, message, refuseEnded);
  };

  return {
    async say(jobId, message, needs = {}) {
      if (needs.vision) {
        const { request, soFar } = await ask(jobId, (handle) => handle.query(messages.chatInputQuery));
        await chooseModels(message.model ?? soFar?.model ?? request.model!, request.fallbackModels ?? [], needs);
      } else if (message.model !== undefined) await chooseModels(message.model, []);
      await tell(jobId, (handle) => handle.executeUpdate(messages.sayUpdate, { args: [message] }));
    },
    undo: (jobId, undo) => tell(jobId, (handle) => handle.executeUpdate(messages.undoUpdate, { args: [undo] })),
    publish: (jobId) => tell(jobId, (handle) => handle.executeUpdate(messages.publishUpdate)),
    patch: (jobId, since = 'c0') =>
      tell(jobId, (handle) => handle.executeUpdate(messages.patchUpdate, { args: [since] })),

    async fork(jobId, { checkpointId, idempotencyKey }) {
      // From the workflow, for the record of the request has no values of variables.
      const parent = await ask(jobId, (handle) => handle.query(messages.chatInputQuery));
      if (!parent.soFar)
        throw new HelixError('job.wrong-state', `the chat ${jobId} has not begun: there is nothing to fork`);
      const { idempotencyKey: _, ...asked } = parent.request;
      const request: JobRequest = { ...asked, ...(idempotencyKey === undefined ? {} : { idempotencyKey }) };
      const { project } = parent;
      const forkId = jobIdFor(request);
      const input = { jobId: forkId, project, request, soFar: upTo(parent.soFar, checkpointId) };
      const created = await startWorkflow(client, input);
      await insertJob(database, { jobId: forkId, workflowId: forkId, project, request, webUrl: webUrl(forkId) });
      return { jobId: forkId, workflowId: forkId, created };
    },
  };
}

/** The chat as it was at a checkpoint. What is left to spend and what was allowed stay. */
function upTo(soFar: ChatSoFar, checkpointId: string | undefined): ChatSoFar {
  const { points } = soFar;
  const index = checkpointId === undefined ? points.length - 1 : points.findIndex(({ id }) => id === checkpointId);
  if (index < 0)
    throw new HelixError(
      'checkpoint.not-found',
      `there is no checkpoint ${checkpointId}; the checkpoints are: ${points.map(({ id }) => id).join(', ')}`,
    );
  return { ...soFar, points: points.slice(0, index + 1), turns: 0, heard: [], spent: nothingSpent };
}
