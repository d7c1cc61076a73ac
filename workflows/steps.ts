import {
  ActivityFailure,
  allHandlersFinished,
  ApplicationFailure,
  CancellationScope,
  ChildWorkflowFailure,
  condition,
  isCancellation,
  setCurrentDetails,
} from '@temporalio/workflow';
import type { Priority } from '@temporalio/common';
import type { createPreparationActivities } from '../activities/preparation.ts';
import type * as stepActivities from '../activities/steps.ts';
import { classTaskQueue } from '../contracts/derived.ts';
import type { SnapshotId } from '../contracts/snapshot.ts';
import type { StepResult } from '../contracts/step.ts';
import type { Task } from '../contracts/plan.ts';
import type {
  ModeInput,
  PlannedTask,
  StepContext,
  StepInput,
  StepMoved,
  StepOrder,
  TaskOutcome,
} from '../contracts/workflow.ts';
import { proxyActivities } from './activities.ts';
import { isUnheard } from './on-holder.ts';
import type { PauseGate } from './pause-gate.ts';
import { outcomeOf, stepContext, stepOf } from './step-order.ts';
import { TaskGraph } from './task-graph.ts';
import { poolTaskQueue } from './task-queues.ts';

const minute = 60_000;

/** Below the 2,000 pending activities a workflow may have, and far above the slots of a usual fleet. */
const maxPendingSteps = 500;

const { prepareTasks } = proxyActivities<ReturnType<typeof createPreparationActivities>>({
  startToCloseTimeout: '10m',
  summary: 'Read the tasks of the plan and what the cache knows of them',
  retry: { maximumInterval: '10s' },
});

/** Runs one step on whichever node its class finds. */
export async function runStep(context: StepContext, order: StepOrder): Promise<StepResult> {
  const queue = classTaskQueue(order.class);
  let taskQueue = queue;
  let resumed: StepInput['resumed'];
  for (;;) {
    try {
      return await stepOn(taskQueue, context, order)({ context, order, ...(resumed ? { resumed } : {}) });
    } catch (error) {
      const moved = movedTo(error);
      if (moved) {
        const { pool, ...rest } = moved;
        resumed = rest;
        taskQueue = poolTaskQueue(pool);
      } else if (taskQueue !== queue && isUnheard(error)) {
        // That pool is gone: whoever takes the step up finds out who has its node by now.
        taskQueue = queue;
      } else throw error;
    }
  }
}

function stepOn(taskQueue: string, context: StepContext, order: StepOrder) {
  const isOfPool = taskQueue !== classTaskQueue(order.class);
  const { runStep: activity } = proxyActivities<ReturnType<typeof stepActivities.createStepActivities>>({
    taskQueue,
    // The pool has the node that the step runs on: if it lives, it takes it up at once.
    ...(isOfPool ? { scheduleToStartTimeout: '15s' } : {}),
    // Everything that may happen inside one attempt: waiting for a node, layers, the command, and the transfers around them.
    startToCloseTimeout: context.nodeWaitMs + 2 * order.timeoutMs + 30 * minute,
    retry: { initialInterval: '500ms', backoffCoefficient: 2, maximumInterval: '10s', maximumAttempts: 30 },
    cancellationType: 'WAIT_CANCELLATION_COMPLETED',
    summary: context.title,
    priority: priorityOf(context, order),
  });
  return activity;
}

const priorityKeys = { critical: 1, high: 2, normal: 3, low: 4 } as const;

/** Within a priority the users take turns, and the projects of each. */
function priorityOf({ priority = 'normal', user = '' }: StepContext, { project }: StepOrder): Priority {
  return { priorityKey: priorityKeys[priority], fairnessKey: `${user.slice(0, 20)}/${project}`.slice(0, 64) };
}

/** Set when the step runs on a node of another node-pool. */
function movedTo(error: unknown): StepMoved | undefined {
  const cause = error instanceof ActivityFailure ? error.cause : undefined;
  if (!(cause instanceof ApplicationFailure) || cause.type !== 'step.moved') return undefined;
  return cause.details?.[0] as StepMoved;
}

export interface TaskRun {
  input: ModeInput;
  phase: StepContext['phase'];
  snapshot: SnapshotId;
  /** Blob hash of the plan that belongs to the snapshot. */
  plan: string;
  /** Which of the plan's tasks. */
  kinds: Task['kind'][];
  /** Outcomes on this very snapshot that are known already. */
  known: readonly TaskOutcome[];
  gate: PauseGate;
  /** Stands behind the titles of the steps, where a phase runs the same tasks more than once. */
  occasion?: string;
  /** Markdown that is shown above the tasks. */
  above?: string;
}

/**
 * Runs tasks of the plan in the order of their needs, as many at once as nodes take; what the cache answers is not run. A failed task stops
 * only what needs it. On cancellation it waits until every step has ended on its node. Returns the outcomes, in the plan's order.
 */
export async function runTasks(run: TaskRun): Promise<TaskOutcome[]> {
  const { input, phase, snapshot, plan, kinds, known, occasion } = run;
  await run.gate.pass();
  const { jobId, project, request } = input;
  const job = { jobId, project, request };
  const { tasks, answered } = await prepareTasks({ job, plan, phase, snapshot, kinds, known, occasion });
  const graph = new TaskGraph(tasks, [...known, ...answered]);
  const running = new Set<Promise<void>>();
  const show = (): void => setCurrentDetails([...(run.above ? [run.above, ''] : []), graph.describe()].join('\n'));
  const start = (task: PlannedTask): void => {
    const promise = runTask(run, graph, task).finally(() => {
      running.delete(promise);
      show();
    });
    // It is awaited below, maybe only after a pause; until then a failure must not count as unhandled.
    promise.catch(() => undefined);
    running.add(promise);
  };
  try {
    for (;;) {
      for (const { task, blocker } of graph.takeBlocked())
        graph.outcomes.set(task.id, notRun(task, run.snapshot, blocker));
      for (const task of graph.takeReady()) {
        await run.gate.pass();
        if (running.size >= maxPendingSteps) await Promise.race(running);
        start(task);
      }
      show();
      if (running.size === 0) break;
      await Promise.race(running);
    }
  } catch (error) {
    await CancellationScope.nonCancellable(() => Promise.allSettled(running));
    throw error;
  }
  return tasks.map((task) => graph.outcomes.get(task.id)!).filter((outcome) => outcome !== undefined);
}

async function runTask(run: TaskRun, graph: TaskGraph, task: PlannedTask): Promise<void> {
  const context = stepContext(run.input, run.phase, task.id, task.title);
  try {
    const result = await runStep(context, stepOf(run.input, run.snapshot, task, graph.inputsOf(task)));
    graph.outcomes.set(task.id, outcomeOf(task.id, task.kind, result));
  } catch (error) {
    if (isCancellation(error)) throw error;
    graph.outcomes.set(task.id, brokenOutcome(task.id, task.kind, run.snapshot, error));
  }
}

/** The outcome of a task whose step could not be carried out at all. */
function brokenOutcome(taskId: string, kind: TaskOutcome['kind'], snapshot: SnapshotId, error: unknown): TaskOutcome {
  return {
    taskId,
    kind,
    succeeded: false,
    end: 'error',
    exitCode: null,
    snapshot,
    cached: false,
    message: failureMessage(error),
  };
}

function notRun(task: PlannedTask, snapshot: SnapshotId, blocker: string): TaskOutcome {
  return {
    taskId: task.id,
    kind: task.kind,
    succeeded: false,
    end: 'not-run',
    exitCode: null,
    snapshot,
    cached: false,
    message: `not run because ${blocker} failed`,
  };
}

/** The sentence a user should read out of a failure: that of the innermost ApplicationFailure. */
export function failureMessage(error: unknown): string {
  const isWrapper = error instanceof ActivityFailure || error instanceof ChildWorkflowFailure;
  if (isWrapper && error.cause) return failureMessage(error.cause);
  return error instanceof Error ? error.message : String(error);
}

/** The code of contracts/error.ts in a failure, or `internal`. */
export function failureCode(error: unknown): string {
  if (error instanceof ApplicationFailure && error.type) return error.type;
  const cause = error instanceof Error ? error.cause : undefined;
  return cause ? failureCode(cause) : 'internal';
}

export function countSteps(outcomes: readonly TaskOutcome[]): { run: number; cached: number } {
  const ran = outcomes.filter((outcome) => outcome.end !== 'not-run' && outcome.end !== 'error');
  const cached = ran.filter((outcome) => outcome.cached).length;
  return { run: ran.length - cached, cached };
}

/** Every workflow ends with this, so that no message is lost in its last moment. */
export async function finishHandlers(): Promise<void> {
  await condition(allHandlersFinished);
}

/** "build:core ended with exit code 2; test:cli was not run because build:core failed". */
export function describeFailures(outcomes: readonly TaskOutcome[]): string {
  return outcomes
    .filter((outcome) => !outcome.succeeded)
    .map((outcome) => `${outcome.taskId} ${describeEnd(outcome)}`)
    .join('; ');
}

function describeEnd(outcome: TaskOutcome): string {
  switch (outcome.end) {
    case 'exited':
      return `ended with exit code ${outcome.exitCode}`;
    case 'timeout':
      return 'ran into its time limit and was ended';
    case 'log-limit':
      return 'printed more than the log limit and was ended';
    case 'lease-expired':
      return 'was ended by its node because nobody asked for it any more';
    case 'install-failed':
      return `could not install its dependencies (exit code ${outcome.exitCode})`;
    case 'cancelled':
      return 'was cancelled';
    case 'not-run':
    case 'error':
      return outcome.message ?? outcome.end;
  }
}
