import { createHash, randomBytes } from 'node:crypto';
import {
  type Client,
  WorkflowExecutionAlreadyStartedError,
  WorkflowNotFoundError,
  type WorkflowHandleWithFirstExecutionRunId,
} from '@temporalio/client';
import { osUser } from '../../config/os-user.ts';
import { HelixError } from '../../contracts/error.ts';
import type { JobRequest, JobResult } from '../../contracts/job.ts';
import { isFinalJobStatus } from '../../contracts/derived.ts';
import type { ChatInput, DevJobInput } from '../../contracts/workflow.ts';
import type { Database } from '../../db/database.ts';
import { getJob, insertJob } from '../../db/jobs.ts';
import { projectIdFor } from '../../snapshots/source.ts';
import type { chat, devJob, rollbackFinishedJob } from '../../workflows/index.ts';
import * as messages from '../../workflows/messages.ts';
import { orchestratorTaskQueue } from '../../workflows/task-queues.ts';
import type { JobControl, Needs } from '../deps.ts';
import { fromTemporal, untilProcessed } from './failures.ts';
import { tellAgents } from './tell-agents.ts';

type JobHandle = WorkflowHandleWithFirstExecutionRunId<typeof devJob> | ReturnType<Client['workflow']['getHandle']>;

export interface JobControlOptions {
  client: Client;
  database: Database;
  /** Address of a workflow in the Web UI. */
  webUrl(workflowId: string): string | null;
  /** What a request gets that does not say otherwise. */
  defaults: Required<Pick<JobRequest, 'stepTimeoutMs' | 'nodeWaitMs' | 'reasoning' | 'parallelAgents'>>;
  /** The models of a job by what was wished for; see ModelService. */
  chooseModels(wish: string | null | undefined, fallback?: readonly string[], needs?: Needs): Promise<string[]>;
}

/** Jobs as Temporal workflows: a job's id is its workflow's id. */
export function createJobControl(options: JobControlOptions): JobControl {
  const { client, database, webUrl, defaults, chooseModels } = options;
  const handleOf = (jobId: string): JobHandle => client.workflow.getHandle(jobId);

  /** The job's final status, when it has ended. */
  const finalStatus = async (jobId: string): Promise<string | undefined> => {
    const view = await getJob(database, jobId);
    if (!view) throw new HelixError('job.not-found', `there is no job ${jobId}: "helix jobs" lists them`);
    return isFinalJobStatus(view.status) ? view.status : undefined;
  };

  /** Whether the job has ended as a message would have it, in the status `done`. Throws when it has ended otherwise. */
  const hasEndedSo = async (jobId: string, verb: string, done?: string): Promise<boolean> => {
    const ended = await finalStatus(jobId);
    if (ended === undefined || ended === done) return ended !== undefined;
    throw new HelixError('job.wrong-state', `cannot ${verb} ${jobId}: it has ended (${ended})`);
  };

  /** Sends a message to a running job; `done` is the status in which it has already had its effect. */
  const send = async (
    jobId: string,
    verb: string,
    message: (handle: JobHandle) => Promise<unknown>,
    done?: string,
  ): Promise<void> => {
    if (await hasEndedSo(jobId, verb, done)) return;
    try {
      await untilProcessed(() => message(handleOf(jobId)));
    } catch (error) {
      // It may have ended while the message was on its way.
      if (error instanceof WorkflowNotFoundError && (await hasEndedSo(jobId, verb, done))) return;
      throw fromTemporal(error, jobId);
    }
  };

  const isChat = async (jobId: string): Promise<boolean> => (await getJob(database, jobId))?.request.kind === 'chat';

  /** A message that means nothing to a chat. */
  const sendToJob: typeof send = async (jobId, verb, message, done) => {
    if (await isChat(jobId)) throw new HelixError('job.wrong-state', `cannot ${verb} ${jobId}: it is a chat`);
    await send(jobId, verb, message, done);
  };

  return {
    async start(asked, needs) {
      const limits = { ...defaults.reasoning.limits, ...asked.reasoning?.limits };
      const reasoning = { ...defaults.reasoning, ...asked.reasoning, limits };
      const request = await withModels({ ...defaults, user: osUser(), ...asked, reasoning }, (wish, fallback) =>
        chooseModels(wish, fallback, needs),
      );
      const jobId = jobIdFor(request);
      const project = projectIdFor(request.source);
      const input: DevJobInput = { jobId, project, request };
      const known = await getJob(database, jobId);
      if (known) return { jobId, workflowId: known.workflowId, created: false };
      const created = await startWorkflow(client, input);
      await insertJob(database, { jobId, workflowId: jobId, project, request, webUrl: webUrl(jobId) });
      return { jobId, workflowId: jobId, created };
    },

    approve: (jobId) => sendToJob(jobId, 'approve', (handle) => handle.executeUpdate(messages.approveUpdate)),
    reject: (jobId, reason = '') =>
      sendToJob(
        jobId,
        'reject',
        (handle) => handle.executeUpdate(messages.rejectUpdate, { args: [reason] }),
        'rejected',
      ),
    pause: (jobId) => sendToJob(jobId, 'pause', (handle) => handle.executeUpdate(messages.pauseUpdate)),
    resume: (jobId) => sendToJob(jobId, 'resume', (handle) => handle.executeUpdate(messages.resumeUpdate)),
    cancel: (jobId) => send(jobId, 'cancel', (handle) => handle.cancel(), 'cancelled'),

    async rollback(jobId, checkpointId) {
      const ended = await finalStatus(jobId);
      if (ended !== undefined && (await isChat(jobId)))
        throw new HelixError('job.wrong-state', `the chat ${jobId} has ended (${ended}): go on in a fork of it`);
      if (ended === undefined) {
        return await send(jobId, 'roll back', (handle) =>
          handle.executeUpdate(messages.rollbackToUpdate, { args: [checkpointId] }),
        );
      }
      await rollbackEnded(client, database, jobId, checkpointId);
    },

    tellAgent: (jobId, message) =>
      send(jobId, 'tell the agent of', async () => {
        // A chat that is stopped between two turns drops the message that it was about to take up.
        if (message.type === 'stop' && (await isChat(jobId)))
          return await client.workflow.getHandle(jobId).signal(messages.stopSignal);
        await tellAgents({ client, database }, jobId, message);
      }),
  };
}

/** Without a goal there is nothing to ask a model for. */
async function withModels(request: JobRequest, choose: JobControlOptions['chooseModels']): Promise<JobRequest> {
  const { model, fallbackModels, reasoning, ...rest } = request;
  const isChat = request.kind === 'chat';
  const [first, ...others] = request.goal === '' && !isChat ? [] : await choose(model, fallbackModels);
  if (first === undefined && isChat)
    throw new HelixError(
      'llm.not-configured',
      'a chat needs a model: give a provider a key (e.g. ANTHROPIC_API_KEY) or log in to one ("helix login"), and name a model when there are several',
    );
  if (first === undefined && request.attachments?.length)
    throw new HelixError(
      'usage.invalid',
      'attached files are for a model, and none is asked: give a goal, and configure a provider or name a model',
    );
  if (first === undefined) return rest;
  return {
    ...rest,
    ...(reasoning ? { reasoning } : {}),
    model: first,
    ...(others.length > 0 ? { fallbackModels: others } : {}),
  };
}

/** Starts the workflow of a job or a chat. False when it was started before. */
export async function startWorkflow(client: Client, input: ChatInput): Promise<boolean> {
  const { jobId, project, request } = input;
  const what = request.kind === 'chat' ? 'chat' : request.modes.join(', ');
  try {
    await client.workflow.start<typeof devJob | typeof chat>(request.kind === 'chat' ? 'chat' : 'devJob', {
      workflowId: jobId,
      taskQueue: orchestratorTaskQueue,
      args: [input],
      workflowIdReusePolicy: 'REJECT_DUPLICATE',
      staticSummary: (request.goal || `${what} on ${request.source.location}`).replaceAll('\n', ' ').slice(0, 200),
      staticDetails: `Source: \`${request.source.location}\`${request.source.ref ? ` at \`${request.source.ref}\`` : ''}\n\n${request.kind === 'chat' ? 'A chat' : `Modes: ${what}`}`,
      searchAttributes: {
        HelixProject: [project],
        HelixMode: request.modes.slice(0, 1),
        HelixPhase: ['source'],
        HelixUser: [request.user ?? osUser()],
        HelixCriticality: [request.priority ?? 'normal'],
      },
    });
    return true;
  } catch (error) {
    if (error instanceof WorkflowExecutionAlreadyStartedError) return false;
    throw fromTemporal(error, jobId);
  }
}

async function rollbackEnded(client: Client, database: Database, jobId: string, checkpointId: string): Promise<void> {
  const view = (await getJob(database, jobId))!;
  const handle = client.workflow.getHandle<typeof devJob>(jobId);
  try {
    const result: JobResult = await handle.result();
    const { imported } = await handle.query(messages.jobStateQuery);
    if (!imported || !result.checkpoints.some((checkpoint) => checkpoint.id === checkpointId)) {
      const known = result.checkpoints.map((checkpoint) => checkpoint.id).join(', ') || 'none';
      throw new HelixError(
        'checkpoint.not-found',
        `${jobId} has no checkpoint ${checkpointId}; its checkpoints are: ${known}`,
      );
    }
    await client.workflow.execute<typeof rollbackFinishedJob>('rollbackFinishedJob', {
      workflowId: `${jobId}/rollback-${randomBytes(4).toString('hex')}`,
      taskQueue: orchestratorTaskQueue,
      args: [{ job: { jobId, project: view.project, request: view.request }, result, imported, checkpointId }],
      staticSummary: `Roll ${jobId} back to ${checkpointId}`,
    });
  } catch (error) {
    throw fromTemporal(error, jobId);
  }
}

/** Derived from the idempotency key, so that a repeated request finds the first one's job; random without a key. */
export function jobIdFor(request: Pick<JobRequest, 'idempotencyKey'>): string {
  const seed =
    request.idempotencyKey === undefined
      ? randomBytes(32)
      : createHash('sha256').update(request.idempotencyKey).digest();
  const digits = BigInt(`0x${seed.toString('hex')}`).toString(36);
  return `job-${digits.padStart(12, '0').slice(-12)}`;
}
