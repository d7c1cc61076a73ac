import { z } from 'zod';
import {
  type AnswerPiece,
  answerPieceSchema,
  eventPageSchema,
  type JobPage,
  type ModelList,
  modelListSchema,
  type ModelTest,
  type ModelTestEvent,
  modelTestEventSchema,
  type LoginEvent,
  loginEventSchema,
  type LoginRequest,
  jobPageSchema,
  nodeListSchema,
  type StartedJob,
  startedJobSchema,
  stepListSchema,
} from '../contracts/api.ts';
import type { AgentMessage } from '../contracts/agent.ts';
import { classListSchema, type ClassView, classViewSchema } from '../contracts/capability-class.ts';
import type { StoredAttachment } from '../contracts/attachment.ts';
import { type ChatFork, type ChatMessage, type ChatUndo, publishedBranchSchema } from '../contracts/chat.ts';
import type { JobEvent } from '../contracts/event.ts';
import { type JobRequest, type JobView, jobViewSchema, type StepView } from '../contracts/job.ts';
import {
  type NodeRecord,
  nodeRecordSchema,
  type NodeRegistration,
  type NodeRemoval,
  type RemovedNode,
  removedNodeSchema,
} from '../contracts/node.ts';
import { type UsageQuery, type UsageReport, usageSchema } from '../contracts/usage.ts';
import { uploadFile } from './attachments.ts';
import { createLocalModelClient, type LocalModelClient } from './local-models.ts';
import { followLog, type LogOptions } from './follow-log.ts';
import { Http } from './http.ts';
import { type JobSocket, openJobSocket } from './job-socket.ts';
import { readJsonLines } from './json-lines.ts';
import { createNodeClient, type NodeClient } from './nodes.ts';
import { postForLines } from './post-for-lines.ts';
import { watchJob, type WatchOptions } from './watch-job.ts';

/** The API as functions. Each throws the HelixError that the server sent, or `stack.unreachable` when none answers. */
export interface HelixClient extends LocalModelClient, NodeClient {
  health(): Promise<{ status: string }>;
  /** Uploads a file, to be attached to a request or a message by its hash. */
  uploadFile(name: string, content: Uint8Array): Promise<StoredAttachment>;
  startJob(request: JobRequest): Promise<StartedJob>;
  getJob(jobId: string): Promise<JobView>;
  /** Newest first. */
  listJobs(page?: { limit?: number; cursor?: string }): Promise<JobPage>;
  approve(jobId: string): Promise<void>;
  reject(jobId: string, reason?: string): Promise<void>;
  pause(jobId: string): Promise<void>;
  resume(jobId: string): Promise<void>;
  cancel(jobId: string): Promise<void>;
  rollback(jobId: string, checkpointId: string): Promise<void>;
  tellAgent(jobId: string, message: AgentMessage): Promise<void>;
  /** Says something in a chat; what comes of it are events. */
  say(jobId: string, message: ChatMessage): Promise<void>;
  undo(jobId: string, undo: ChatUndo): Promise<void>;
  /** Puts a chat's files on its branch; null when nothing has changed or the source is remote. */
  publish(jobId: string): Promise<string | null>;
  /** The changes of a chat since a checkpoint, by default the source; empty when there are none. */
  readChanges(jobId: string, since?: string): Promise<Buffer>;
  forkChat(jobId: string, fork?: ChatFork): Promise<StartedJob>;
  /** Logs in to a provider: what the user has to do, then that it is done. */
  login(request: LoginRequest, options?: { signal?: AbortSignal }): AsyncGenerator<LoginEvent>;
  listModels(): Promise<ModelList>;
  /** Throws what the server or the provider said. */
  testModel(test: ModelTest, options?: { signal?: AbortSignal }): AsyncGenerator<ModelTestEvent>;
  /** Events above `after`, at most `limit` (1,000 at most), of all types or of some. */
  readEvents(
    jobId: string,
    page?: { after?: number; limit?: number; types?: JobEvent['data']['type'][] },
  ): Promise<JobEvent[]>;
  watchJob(jobId: string, options?: WatchOptions): AsyncGenerator<JobEvent>;
  /** The same over a WebSocket, which takes messages for the agent as well. */
  openJob(jobId: string, options?: WatchOptions): JobSocket;
  listSteps(jobId: string): Promise<StepView[]>;
  stepLog(jobId: string, step: number, options?: LogOptions): AsyncGenerator<Uint8Array>;
  /** What a model says, piece by piece as it comes, until it has answered; after `restarted` it is told anew. */
  followAnswer(jobId: string, callId: string, options?: LogOptions): AsyncGenerator<AnswerPiece>;
  /** A document of the job, e.g. `plan.md`, or `result.patch`. */
  readArtifact(jobId: string, name: string): Promise<Buffer>;
  /** What calls of language models took, by model unless told otherwise. */
  readUsage(query?: UsageQuery): Promise<UsageReport>;
  listNodes(): Promise<NodeRecord[]>;
  getNode(name: string): Promise<NodeRecord>;
  addNode(registration: NodeRegistration): Promise<NodeRecord>;
  /** A purge removes Helix from the machine too. */
  removeNode(name: string, removal?: NodeRemoval): Promise<RemovedNode>;
  probeNode(name: string): Promise<NodeRecord>;
  /** Every capability class that steps have asked for, with who serves it. */
  listClasses(): Promise<ClassView[]>;
  getClass(text: string): Promise<ClassView>;
}

export function createClient(baseUrl: string): HelixClient {
  const http = new Http(baseUrl);
  const job = (jobId: string) => `/jobs/${encodeURIComponent(jobId)}`;
  const post = async (path: string, body: unknown = {}) => {
    await http.send(path, { method: 'POST', body });
  };
  const bytes = async (path: string): Promise<Buffer> => {
    const response = await http.send(path);
    return Buffer.from(
      await response.arrayBuffer().catch((error: unknown) => {
        throw http.unreachable(error);
      }),
    );
  };
  return {
    ...createLocalModelClient(http),
    ...createNodeClient(http),
    health: () => http.json(z.object({ status: z.string() }), '/health'),
    uploadFile: (name, content) => uploadFile(http, name, content),
    startJob: (request) => http.json(startedJobSchema, '/jobs', { method: 'POST', body: request }),
    getJob: (jobId) => http.json(jobViewSchema, job(jobId)),
    listJobs: (page = {}) => http.json(jobPageSchema, `/jobs${query(page)}`),
    approve: (jobId) => post(`${job(jobId)}/approve`),
    reject: (jobId, reason) => post(`${job(jobId)}/reject`, reason === undefined ? {} : { reason }),
    pause: (jobId) => post(`${job(jobId)}/pause`),
    resume: (jobId) => post(`${job(jobId)}/resume`),
    cancel: (jobId) => post(`${job(jobId)}/cancel`),
    rollback: (jobId, checkpointId) => post(`${job(jobId)}/rollback`, { checkpointId }),
    tellAgent: (jobId, message) => post(`${job(jobId)}/agent`, message),
    say: (jobId, message) => post(`${job(jobId)}/say`, message),
    undo: (jobId, undo) => post(`${job(jobId)}/undo`, undo),
    publish: async (jobId) =>
      (await http.json(publishedBranchSchema, `${job(jobId)}/publish`, { method: 'POST', body: {} })).branch,
    readChanges: (jobId, since) => bytes(`${job(jobId)}/changes${query({ since })}`),
    forkChat: (jobId, fork = {}) => http.json(startedJobSchema, `${job(jobId)}/fork`, { method: 'POST', body: fork }),
    login: (request, options = {}) => postForLines(http, '/models/login', request, loginEventSchema, options.signal),
    listModels: () => http.json(modelListSchema, '/models'),
    testModel: (test, options = {}) => postForLines(http, '/models/test', test, modelTestEventSchema, options.signal),
    readEvents: async (jobId, { types, ...page } = {}) =>
      (await http.json(eventPageSchema, `${job(jobId)}/events${query({ ...page, types: types?.join(',') })}`)).events,
    watchJob: (jobId, options = {}) => watchJob(http, encodeURIComponent(jobId), options),
    openJob: (jobId, options = {}) => openJobSocket(http, encodeURIComponent(jobId), options),
    listSteps: async (jobId) => (await http.json(stepListSchema, `${job(jobId)}/steps`)).steps,
    stepLog: (jobId, step, options = {}) => followLog(http, `${job(jobId)}/steps/${step}/log`, options),
    followAnswer: async function* (jobId, callId, options = {}) {
      const chunks = followLog(http, `${job(jobId)}/answers/${encodeURIComponent(callId)}`, {
        ...options,
        follow: true,
      });
      for await (const line of readJsonLines(chunks)) yield answerPieceSchema.parse(line);
    },
    readArtifact: (jobId, name) => bytes(`${job(jobId)}/artifacts/${encodeURIComponent(name)}`),
    readUsage: (asked = {}) => http.json(usageSchema, `/usage${query(asked)}`),
    listNodes: async () => (await http.json(nodeListSchema, '/nodes')).nodes,
    getNode: (name) => http.json(nodeRecordSchema, `/nodes/${encodeURIComponent(name)}`),
    addNode: (registration) => http.json(nodeRecordSchema, '/nodes', { method: 'POST', body: registration }),
    removeNode: (name, { purge } = { purge: false }) =>
      http.json(removedNodeSchema, `/nodes/${encodeURIComponent(name)}${query({ purge: String(purge) })}`, {
        method: 'DELETE',
      }),
    probeNode: (name) =>
      http.json(nodeRecordSchema, `/nodes/${encodeURIComponent(name)}/probe`, { method: 'POST', body: {} }),
    listClasses: async () => (await http.json(classListSchema, '/classes')).classes,
    getClass: (text) => http.json(classViewSchema, `/classes/${encodeURIComponent(text)}`),
  };
}

function query(page: Record<string, string | number | undefined>): string {
  const parameters = new URLSearchParams();
  for (const [name, value] of Object.entries(page)) if (value !== undefined) parameters.set(name, String(value));
  return parameters.size === 0 ? '' : `?${parameters.toString()}`;
}
