// What workflows and activities hand each other. Types only: these values are made and read by our own code on both sides.
import type { Checkpoint, JobRequest, JobResult, JobStatus, JobView, Mode, PhaseResult, Priority } from './job.ts';
import type { JobEventData } from './event.ts';
import type { Reasoning } from './reasoning.ts';
import type { Recipe } from './recipe.ts';
import type { ImportedSource, ProjectId, SnapshotId, Source } from './snapshot.ts';
import type { Command, StepEnd, StepSpec } from './step.ts';
import type { Attachment } from './attachment.ts';
import type { Budget, PermissionRule, Permissions, Spending, ToolsInput } from './agent.ts';
import type { JsonValue, StopReason, Thinking } from './llm.ts';
import type { Task, WorkItem, WorkItemView } from './plan.ts';

export interface DevJobInput {
  jobId: string;
  project: ProjectId;
  request: JobRequest;
}

/** A checkpoint of a chat with the head of its conversation; null before the first message. */
export interface ChatPoint extends Checkpoint {
  head: string | null;
}

/** What a chat goes on from, in a new run or as a fork. */
export interface ChatSoFar {
  imported: ImportedSource;
  /** The first is the source, the last is now; old ones between may be missing. */
  points: ChatPoint[];
  model: string;
  reasoning: Reasoning;
  /** What the user has allowed for good. */
  rules: PermissionRule[];
  /** Ids of the last messages: one that comes again is no new one. */
  heard: string[];
  turns: number;
  budget: Budget;
  spent: Spending;
}

export interface ChatInput extends DevJobInput {
  soFar?: ChatSoFar;
}

/** What every mode works on. `baseline` holds outcomes of tasks that already ran on this very snapshot. */
export interface ModeInput {
  jobId: string;
  project: ProjectId;
  request: JobRequest;
  snapshot: SnapshotId;
  /** Blob hash of the plan; absent for planning itself. */
  plan?: string;
  baseline: TaskOutcome[];
  /** Head of the conversation of the job's agents so far. */
  conversation?: string;
  /** What is left for the job's agents. */
  budget?: Budget;
  /** The job's source, before anything was changed. */
  source?: ImportedSource;
}

export interface ModeOutput {
  phase: PhaseResult;
  /** The snapshot the next mode starts from. */
  snapshot: SnapshotId;
  outcomes: TaskOutcome[];
  plan?: string;
  conversation?: string;
  raised?: Budget;
}

/** What came of one task of the plan. */
export interface TaskOutcome {
  taskId: string;
  kind: Task['kind'] | 'recipe';
  succeeded: boolean;
  /** `not-run` when a task it needs failed. */
  end: StepEnd | 'not-run' | 'error';
  exitCode: number | null;
  snapshot: SnapshotId;
  outputs?: SnapshotId;
  /** Blob hash; absent when nothing ran. */
  log?: string;
  cached: boolean;
  /** Why it did not run or broke: a sentence. */
  message?: string;
}

/** A layer's description by the hash of its blob: it can be long, and every step of a project names the same ones. */
interface WithLayerHashes {
  layers: string[];
}

/** A task of the plan as workflows handle it. */
export type PlannedTask = Omit<Task, 'layers'> & WithLayerHashes;

/** A step as workflows ask for it. */
export type StepOrder = Omit<StepSpec, 'layers'> & WithLayerHashes;

/** What a phase is about to run. `known` holds outcomes on this very snapshot; `occasion` stands behind the titles of the steps. */
export interface PreparationInput {
  job: DevJobInput;
  /** Blob hash. */
  plan: string;
  phase: Mode;
  snapshot: SnapshotId;
  kinds: Task['kind'][];
  known: readonly TaskOutcome[];
  occasion?: string | undefined;
}

export interface PreparedTasks {
  tasks: PlannedTask[];
  /** Outcomes of those that the step cache knew. */
  answered: TaskOutcome[];
}

/** Which step of which job an execution belongs to, for records and events. */
export interface StepContext {
  jobId: string;
  taskId: string;
  title: string;
  phase: Mode;
  /** How long it may wait for a node when nobody serves its class. */
  nodeWaitMs: number;
  /** Absent where it is normal. */
  priority?: Priority;
  /** Who asked for the job: users get their turns, whatever one of them has waiting. */
  user?: string;
}

export interface StepInput {
  context: StepContext;
  order: StepOrder;
  /** The execution that this one goes on with, where it was begun by way of another task queue. */
  resumed?: Omit<StepMoved, 'pool'>;
}

/** The step runs on a node that another node-pool holds; that one is to be asked. */
export interface StepMoved {
  pool: string;
  executionId: string;
  /** Made so far. */
  attempts: number;
}

/** A change to the records of a job. `key` makes an event's insertion idempotent. */
export interface ProgressRecord {
  job: DevJobInput & { workflowId: string };
  events: { key: string; at: string; data: JobEventData }[];
  patch: {
    status?: JobStatus;
    phase?: JobView['phase'];
    checkpoints?: Checkpoint[];
    items?: WorkItemView[];
    result?: JobResult;
  };
}

export interface PublishInput {
  jobId: string;
  project: ProjectId;
  source: Source;
  imported: ImportedSource;
  goal: string;
  /** The checkpoints to publish, in order; the last is the result. */
  checkpoints: Checkpoint[];
  /** Move an existing branch of this job. */
  force: boolean;
}

export interface Published {
  branch: string | null;
  patch: string | null;
}

export interface RecipeVerdictInput {
  before: TaskOutcome[];
  after: TaskOutcome[];
}

export interface RecipeVerdict {
  keep: boolean;
  reasons: string[];
}

export interface RecipeTask {
  recipe: Recipe;
  title: string;
  shell: string;
}

export interface RollbackInput {
  job: DevJobInput;
  result: JobResult;
  imported: ImportedSource;
  checkpointId: string;
}

/** How a turn is to be thought about. */
export interface TurnReasoning extends Reasoning {
  purpose: 'chat' | 'plan' | 'code' | 'repair' | 'review';
  /** How often this was tried before and failed. */
  failedAttempts: number;
  /** What the user's own words ask of the model's own thinking. */
  thinking: Thinking;
}

export interface AgentTurnInput {
  job: DevJobInput;
  phase: Mode;
  /** One line: what this agent is at. */
  title: string;
  /** Tried in this order; never empty. */
  models: string[];
  snapshot: SnapshotId;
  /** The conversation it goes on with; null for a new one. */
  head: string | null;
  /** What is asked of it now. */
  prompt: string;
  /** Given along with the prompt. */
  attachments?: Attachment[];
  tools: string[];
  permissions: Permissions;
  budget: Budget;
  /** Blob hash of the plan, for what commands need (layers, a node's class); absent before planning. */
  plan?: string;
  /** Output trees that commands find beside the sources. */
  inputs: SnapshotId[];
  maxModelCalls: number;
  /** Of the source, where it has one. */
  commit: string | null;
  /** How deep below the job's own agents: a limit to delegation. */
  depth: number;
  /** Left out: the model is asked, and thinks as it does by itself. */
  reasoning?: TurnReasoning;
}

/**
 * `done`: it said that it is. `limit`: too many model calls. `stopped`: a user stopped it. `refused`: the
 * model or its provider declined.
 */
export interface AgentTurnResult {
  status: 'done' | 'limit' | 'stopped' | 'refused';
  /** Its last words. */
  text: string;
  head: string;
  snapshot: SnapshotId;
  spending: Spending;
  /** By what users have raised the budget meanwhile. */
  raised: Budget;
  /** What users have allowed from now on; absent when nothing. */
  allowed?: PermissionRule[];
  /** Blob hash of the work items that it proposed. */
  work?: string;
}

/** What stays the same from call to call of a turn: a blob, so that histories hold its hash. */
export interface AgentSpec {
  system: string;
  tools: string[];
  maxTokens: number;
}

export interface OpenedTurn {
  /** Blob hash of the AgentSpec. */
  spec: string;
  /** Head of the conversation with the prompt in it. */
  head: string;
  commands: CommandSettings;
  /** Whether the model has a way to think of its own, as far as is known. */
  modelThinks: boolean;
}

/** What the commands of an agent run with. */
export interface CommandSettings {
  layers: string[];
  tools: string[];
  class: string;
  /** The project's own tests, when the plan has some. */
  testCommand?: Command;
}

export interface OpenTurnInput {
  job: DevJobInput;
  head: string | null;
  prompt: string;
  attachments?: Attachment[];
  snapshot: SnapshotId;
  tools: string[];
  permissions: Permissions;
  model: string;
  plan?: string;
}

export interface OpenWorkInput {
  job: DevJobInput;
  /** Blob hash of the plan. */
  plan: string;
  snapshot: SnapshotId;
  model: string;
}

export interface OpenedWork {
  items: WorkItem[];
  /** What the conversations of all items begin with. */
  head: string | null;
}

export interface MergeInput {
  project: ProjectId;
  base: SnapshotId;
  /** What was put together so far. */
  ours: SnapshotId;
  /** What comes to it. */
  theirs: SnapshotId;
}

export interface MarkerSearch extends Omit<MergeInput, 'base'> {
  snapshot: SnapshotId;
  paths: string[];
}

export interface ModelCallInput {
  jobId: string;
  title: string;
  model: string;
  spec: string;
  head: string;
  snapshot: SnapshotId;
  /** What is left of the budget. */
  budget: Budget;
  /** Which step of its reasoning the agent takes with this call. */
  step?: string;
  /** Said as the user before the model answers. */
  say?: string;
  /** False: the model may not call tools. */
  tools?: false;
  thinking?: Thinking;
  temperature?: number;
  /** The answer is JSON of this schema, where the model can do that. */
  responseSchema?: { [key: string]: JsonValue };
  /** Who else may be asked; left out: nobody. */
  route?: ModelRoute;
  /** Tokens of the provider's minute that were taken for this call already, and waited for. */
  paid?: number;
}

/** The models that a turn may ask. */
export interface ModelRoute {
  /** In the order of the user's wish. */
  chain: string[];
  /** Until when some of them are limited by their provider: milliseconds since 1970. */
  limits: Record<string, number>;
  /** Those that are not to be taken, be they in the chain or not. */
  without: string[];
}

export type ModelCallResult =
  | {
      kind: 'answer';
      head: string;
      /** Whether it calls tools, and otherwise why it stopped. */
      stopReason: StopReason;
      /** What it said, cut to a few thousand characters. */
      text: string;
      spent: Spending;
    }
  /** Nothing was answered: the provider, or its limits here, say when to come back. `isLong`: too long to wait when another model can be asked. */
  | { kind: 'wait'; waitMs: number; reason: string; isLong: boolean; paid?: number; spent: Spending }
  /** Another model is to be asked for now. */
  | { kind: 'route'; model: string; reason: string; spent: Spending }
  /** The next call could cost more than is left. */
  | { kind: 'budget'; reason: string; spent: Spending };

export interface ToolsCallInput extends ToolsInput {
  job: DevJobInput;
  title: string;
  testCommand?: Command;
  /** Of the source, where it has one. */
  commit: string | null;
}
