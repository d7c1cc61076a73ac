import type { Logger } from 'pino';
import type { AgentMessage } from '../contracts/agent.ts';
import type { LoginEvent, LoginRequest, ModelList, ModelTest, ModelTestEvent, StartedJob } from '../contracts/api.ts';
import type { ChatFork, ChatMessage, ChatUndo } from '../contracts/chat.ts';
import type { JobRequest } from '../contracts/job.ts';
import type { LocalModelDetails, LocalModelList, PullEvent, RecommendationList } from '../contracts/local-model.ts';
import type {
  NewNodeToken,
  NodeRecord,
  NodeRegistration,
  NodeRemoval,
  NodeTokenRequest,
  RemovedNode,
} from '../contracts/node.ts';
import type { DrainRequest } from '../contracts/node-workflow.ts';
import type { Database } from '../db/database.ts';

/** What a request asks of its models beyond what every agent needs. */
export interface Needs {
  /** There are images to look at. */
  vision?: boolean;
}

/** Starts jobs and sends them messages. Every message is idempotent; all but `start` throw `job.not-found` and `job.wrong-state`. */
export interface JobControl {
  /** `created` is false when the request's idempotency key was used before: then the job is that one. */
  start(request: JobRequest, needs?: Needs): Promise<{ jobId: string; workflowId: string; created: boolean }>;
  approve(jobId: string): Promise<void>;
  reject(jobId: string, reason?: string): Promise<void>;
  pause(jobId: string): Promise<void>;
  resume(jobId: string): Promise<void>;
  cancel(jobId: string): Promise<void>;
  /** Throws `checkpoint.not-found` too. */
  rollback(jobId: string, checkpointId: string): Promise<void>;
  /** Says something to the agent that works, or asks, in the job. Throws `job.wrong-state` when there is none. */
  tellAgent(jobId: string, message: AgentMessage): Promise<void>;
}

/** What chats take beside the messages of jobs. All throw `job.not-found` and `job.wrong-state`. */
export interface ChatControl {
  say(jobId: string, message: ChatMessage, needs?: Needs): Promise<void>;
  undo(jobId: string, undo: ChatUndo): Promise<void>;
  /** Returns the branch, null when nothing has changed or the source is remote. */
  publish(jobId: string): Promise<string | null>;
  /** Blob hash of the changes since a checkpoint, by default the source; null for none. */
  patch(jobId: string, since?: string): Promise<string | null>;
  fork(jobId: string, fork: ChatFork): Promise<StartedJob>;
}

export interface ModelControl {
  list(): Promise<ModelList>;
  test(test: ModelTest, signal: AbortSignal): AsyncIterable<ModelTestEvent>;
  /** Logs in to a provider with a browser; the signal ends it. */
  login(request: LoginRequest, signal: AbortSignal): AsyncIterable<LoginEvent>;
}

/**
 * Models on the user's own machines, the controller and its nodes. Names are those of the stores, with `@NODE` behind them or not, or `ollama/NAME`; they
 * throw `llm.model-not-found`, and `usage.invalid` where several nodes have it and none is named. An unknown node is `node.not-found`.
 */
export interface LocalModelControl {
  list(): Promise<LocalModelList>;
  /** For all machines when no node is named. */
  recommend(node?: string): Promise<RecommendationList>;
  /** To the node that suits best when none is named. The signal ends it, and the next pull goes on from there. */
  pull(source: string, node: string | undefined, signal: AbortSignal): AsyncIterable<PullEvent>;
  remove(name: string, node?: string): Promise<void>;
  info(name: string, node?: string): Promise<LocalModelDetails>;
}

export interface NodeControl {
  /** Probes the node and puts it on record. Throws `node.name-taken` and the errors of a probe. */
  add(registration: NodeRegistration): Promise<NodeRecord>;
  /** Connects and detects anew. Throws `node.not-found`, `node.unreachable`, `node.host-key`, `node.authentication`, `node.unsuitable`. */
  probe(name: string): Promise<NodeRecord>;
  /** Throws `node.not-found`; a purge throws `node.unreachable` and `usage.invalid` too, and then nothing was removed. */
  remove(name: string, removal: NodeRemoval): Promise<RemovedNode>;
  /** Keeps new steps off a node, and lets them on it again. Both throw `node.not-found`. */
  cordon(name: string, reason: string): Promise<void>;
  uncordon(name: string): Promise<void>;
  /** Keeps new steps off a node and hands back what still runs after the limit; returns at once. Throws `node.not-found`. */
  drain(name: string, request: DrainRequest): Promise<void>;
  /** Drains a node and forgets it; returns at once. Throws `node.not-found`. */
  retire(name: string, request: DrainRequest): Promise<void>;
}

/** Makes tokens with which machines join by themselves. */
export interface NodeTokenControl {
  /** Throws `usage.invalid` for an address that is none, and `stack.unreachable` when no node-pool listens for the machine. */
  make(request: NodeTokenRequest): Promise<NewNodeToken>;
  /** The program that a machine without HelixCode joins with. */
  program(): Promise<Buffer>;
}

/** The log of one step, growing while the step runs. */
export interface StepLog {
  /** At most `limit` bytes from `offset` on; empty at the end of what there is by now. */
  read(offset: number, limit: number): Promise<Buffer>;
}

export interface ApiDeps {
  database: Database;
  jobs: JobControl;
  chats: ChatControl;
  nodes: NodeControl;
  nodeTokens: NodeTokenControl;
  models: ModelControl;
  localModels: LocalModelControl;
  /** The content of a blob by its hash; undefined when there is none. */
  readBlob(hash: string): Promise<Buffer | undefined>;
  /** Returns the hash. */
  storeBlob(content: Buffer): Promise<string>;
  stepLog(executionId: string): StepLog;
  logger: Logger;
}
