import { stepSucceeded } from '../contracts/derived.ts';
import type { ModeInput, PlannedTask, StepContext, StepOrder, TaskOutcome } from '../contracts/workflow.ts';
import type { SnapshotId } from '../contracts/snapshot.ts';
import type { StepResult } from '../contracts/step.ts';

// Plain and without Temporal: what a task asks for is the same whether a node runs it or the cache answers.

const minute = 60_000;
const defaultStepTimeoutMs = 30 * minute;
const defaultNodeWaitMs = 10 * minute;

/** What a step of a job needs to know of the job. */
export type JobOfStep = Pick<ModeInput, 'jobId' | 'project' | 'request'>;

/** What a step looks like to records and events. */
export function stepContext(job: JobOfStep, phase: StepContext['phase'], taskId: string, title: string): StepContext {
  const { nodeWaitMs = defaultNodeWaitMs, priority, user } = job.request;
  return {
    jobId: job.jobId,
    phase,
    taskId,
    title,
    nodeWaitMs,
    ...(priority && priority !== 'normal' ? { priority } : {}),
    ...(user ? { user } : {}),
  };
}

/** A step from a task of the plan. */
export function stepOf(job: JobOfStep, snapshot: SnapshotId, task: PlannedTask, inputs: SnapshotId[]): StepOrder {
  return {
    project: job.project,
    snapshot,
    command: task.command,
    env: { ...task.env, ...job.request.env },
    layers: task.layers,
    inputs,
    outputs: task.outputs,
    tools: task.tools,
    class: task.class,
    ...resourcesOf(job, task),
    timeoutMs: job.request.stepTimeoutMs ?? defaultStepTimeoutMs,
    cache: job.request.cache,
  };
}

/** What the task itself asks for stands above what the job asks for all of its steps. */
function resourcesOf(job: JobOfStep, task: PlannedTask): Pick<StepOrder, 'resources'> {
  const { resources } = job.request;
  return resources || task.resources ? { resources: { ...resources, ...task.resources } } : {};
}

/** Empty members are left out: every byte stands in the history. */
export function outcomeOf(taskId: string, kind: TaskOutcome['kind'], result: StepResult): TaskOutcome {
  return {
    taskId,
    kind,
    succeeded: stepSucceeded(result),
    end: result.end,
    exitCode: result.exitCode,
    snapshot: result.snapshot,
    ...(result.outputs ? { outputs: result.outputs } : {}),
    log: result.log,
    cached: result.cached,
  };
}
