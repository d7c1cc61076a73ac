import { Context } from '@temporalio/activity';
import { HelixError } from '../contracts/error.ts';
import { type Plan, planSchema, type Task } from '../contracts/plan.ts';
import type { SnapshotId } from '../contracts/snapshot.ts';
import type { PlannedTask, PreparationInput, PreparedTasks } from '../contracts/workflow.ts';
import { listNodes } from '../db/nodes.ts';
import { outcomeOf, stepContext, stepOf } from '../workflows/step-order.ts';
import { TaskGraph } from '../workflows/task-graph.ts';
import { answerFromCache, type CacheDeps, type CacheQuestion } from './cached-steps.ts';
import { activityGroup } from './activity-group.ts';
import { executionIdOf } from './execution-id.ts';
import { type FinishedStep, finishedRecord, recordSteps } from './step-records.ts';

/** What there is to do in a phase, before any of it is given to a node. */
export function createPreparationActivities(deps: CacheDeps) {
  const { blobs, database } = deps;

  const loadPlan = async (hash: string): Promise<Plan> => {
    const content = await blobs.get(hash);
    if (!content) throw new HelixError('internal', `the plan ${hash} is not in the blob store any more`);
    return planSchema.parse(JSON.parse(content.toString()));
  };

  /** Layers are long and every task of a project names the same ones: workflows get their hashes. */
  const planned = async (task: Task, occasion: string | undefined): Promise<PlannedTask> => ({
    ...task,
    title: occasion ? `${task.title} (${occasion})` : task.title,
    layers: await Promise.all(task.layers.map((layer) => blobs.put(JSON.stringify(layer)))),
  });

  return activityGroup({
    /**
     * The plan's tasks of some kinds, and the outcomes of those that the step cache can answer. One by one they would cost the workflow an
     * activity each. The plan itself stays in the blob store: histories hold its hash.
     */
    async prepareTasks(input: PreparationInput): Promise<PreparedTasks> {
      const { job, phase, snapshot, kinds, known, occasion } = input;
      const chosen = (await loadPlan(input.plan)).tasks.filter((task) => kinds.includes(task.kind));
      const tasks = await Promise.all(chosen.map((task) => planned(task, occasion)));
      if (job.request.cache === 'off') return { tasks, answered: [] };
      const { info } = Context.current();
      const layersOf = new Map(chosen.map((task) => [task.id, task.layers]));
      const question = (task: PlannedTask, inputs: SnapshotId[]): CacheQuestion => {
        const { jobId, taskId, title } = stepContext(job, phase, task.id, task.title);
        return {
          identity: { jobId, taskId, title, phase, executionId: executionIdOf(info, task.id) },
          attempt: info.attempt,
          spec: { ...stepOf(job, snapshot, task, inputs), layers: layersOf.get(task.id)! },
        };
      };
      const nodes = await listNodes(database);
      const graph = new TaskGraph(tasks, known);
      const finished: FinishedStep[] = [];
      const answered: PreparedTasks['answered'] = [];
      // What a task is given depends on the outputs of what it needs, so the graph is gone through in its order.
      for (let ready = graph.takeReady(); ready.length > 0; ready = graph.takeReady()) {
        const questions = ready.map((task) => question(task, graph.inputsOf(task)));
        for (const step of await answerFromCache(deps, nodes, questions)) {
          const task = ready.find(({ id }) => id === step.identity.taskId)!;
          const outcome = outcomeOf(task.id, task.kind, step.result);
          graph.outcomes.set(task.id, outcome);
          answered.push(outcome);
          finished.push(step);
        }
      }
      await recordSteps(database, job.jobId, finished.map((step) => finishedRecord(step))); // prettier-ignore
      return { tasks, answered };
    },
  });
}
