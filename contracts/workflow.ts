// What workflows and activities hand each other. Types only: these values are made and read by our own code on both sides.
import type { Checkpoint, JobRequest, JobResult, JobStatus, JobView, Mode, PhaseResult } from './job.ts';
import type { JobEventData } from './event.ts';
import type { Recipe } from './recipe.ts';
import type { ImportedSource, ProjectId, SnapshotId, Source } from './snapshot.ts';
import type { StepEnd, StepSpec } from './step.ts';
import type { Task } from './plan.ts';

export interface DevJobInput {
  jobId: string;
  project: ProjectId;
  request: JobRequest;
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
}

export interface ModeOutput {
  phase: PhaseResult;
  /** The snapshot the next mode starts from. */
  snapshot: SnapshotId;
  outcomes: TaskOutcome[];
  plan?: string;
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
}

export interface StepInput {
  context: StepContext;
  order: StepOrder;
}

/** A change to the records of a job. `key` makes an event's insertion idempotent. */
export interface ProgressRecord {
  job: DevJobInput & { workflowId: string };
  events: { key: string; at: string; data: JobEventData }[];
  patch: { status?: JobStatus; phase?: JobView['phase']; checkpoints?: Checkpoint[]; result?: JobResult };
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
