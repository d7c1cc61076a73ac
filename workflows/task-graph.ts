import type { SnapshotId } from '../contracts/snapshot.ts';
import type { PlannedTask, TaskOutcome } from '../contracts/workflow.ts';

/** The details of a workflow stay below a few kilobytes. */
const mostRowsShown = 100;

/**
 * The order of a plan's tasks: which may start, which cannot run any more, and whose outputs a task is given. Plain and without Temporal.
 * Tasks that the graph's outcomes already name are done.
 */
export class TaskGraph {
  private readonly tasks = new Map<string, PlannedTask>();
  private readonly waiting = new Set<string>();
  readonly outcomes = new Map<string, TaskOutcome>();

  constructor(tasks: readonly PlannedTask[], done: readonly TaskOutcome[]) {
    for (const outcome of done) this.outcomes.set(outcome.taskId, outcome);
    for (const task of tasks) {
      this.tasks.set(task.id, task);
      if (!this.outcomes.has(task.id)) this.waiting.add(task.id);
    }
  }

  /** Takes the tasks whose needs have all succeeded. A need that the graph does not know counts as met. */
  takeReady(): PlannedTask[] {
    const ready = [...this.waiting]
      .map((id) => this.tasks.get(id)!)
      .filter((task) => this.needsOf(task).every((id) => this.outcomes.get(id)?.succeeded));
    for (const task of ready) this.waiting.delete(task.id);
    return ready;
  }

  /** Takes the tasks that cannot run because a task they need has not succeeded, with the name of that task. */
  takeBlocked(): { task: PlannedTask; blocker: string }[] {
    const blocked: { task: PlannedTask; blocker: string }[] = [];
    for (const id of this.waiting) {
      const task = this.tasks.get(id)!;
      const blocker = this.needsOf(task).find((need) => this.outcomes.get(need)?.succeeded === false);
      if (blocker === undefined) continue;
      this.waiting.delete(id);
      blocked.push({ task, blocker });
    }
    return blocked;
  }

  /** Output trees of everything the task needs, directly or not; a task's own dependencies come before it. */
  inputsOf(task: PlannedTask): SnapshotId[] {
    const inputs = new Set<SnapshotId>();
    const seen = new Set<string>();
    const visit = (id: string): void => {
      if (seen.has(id)) return;
      seen.add(id);
      for (const need of this.tasks.get(id)?.needs ?? []) visit(need);
      const outputs = id === task.id ? undefined : this.outcomes.get(id)?.outputs;
      if (outputs) inputs.add(outputs);
    };
    visit(task.id);
    return [...inputs];
  }

  /** The tasks and how far they are, as a Markdown table. */
  describe(): string {
    const shown = [...this.tasks.values()]
      .slice(0, mostRowsShown)
      .map((task) => `| ${task.id} | ${this.stateOf(task.id)} |`);
    const left = this.tasks.size - shown.length;
    return ['| task | |', '| --- | --- |', ...shown, ...(left > 0 ? ['', `and ${left} more`] : [])].join('\n');
  }

  private stateOf(id: string): string {
    const outcome = this.outcomes.get(id);
    if (!outcome) return this.waiting.has(id) ? 'to come' : 'running';
    if (outcome.succeeded) return outcome.cached ? 'from the cache' : 'succeeded';
    return outcome.end === 'not-run' ? 'not run' : 'failed';
  }

  private needsOf(task: PlannedTask): string[] {
    return task.needs.filter((id) => this.tasks.has(id) || this.outcomes.has(id));
  }
}
