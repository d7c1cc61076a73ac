import type { JobEvent } from '../../contracts/event.ts';
import type { WorkItemView } from '../../contracts/plan.ts';
import type { JobResult, Mode, PhaseResult } from '../../contracts/job.ts';

interface RunningStep {
  title: string;
  node: string;
  /** Milliseconds since the epoch. */
  startedAt: number;
}

interface WaitingStep {
  title: string;
  class: string;
}

interface PhaseProgress {
  startedAt: number;
  /** Null while the phase runs. */
  result: PhaseResult | null;
}

/** Where a job stands, as its events tell. */
export class JobProgress {
  readonly phases = new Map<Mode, PhaseProgress>();
  readonly running = new Map<string, RunningStep>();
  readonly waiting = new Map<string, WaitingStep>();
  readonly items = new Map<string, WorkItemView>();
  startedAt: number | null = null;
  stepsRun = 0;
  stepsCached = 0;
  /** What holds the job at the moment, in a word or two; null when it simply runs. */
  held: string | null = null;
  /** Null until the end, and again after a rollback of an ended job: then the record has the new one. */
  result: JobResult | null = null;

  apply({ data, at }: JobEvent): void {
    const time = Date.parse(at);
    switch (data.type) {
      case 'job.started':
        this.startedAt = time;
        break;
      case 'job.waiting-for-approval':
        this.held = 'waiting for approval';
        break;
      case 'job.paused':
        this.held = 'paused';
        break;
      case 'job.cancelling':
        this.held = 'cancelling';
        break;
      case 'job.approved':
      case 'job.resumed':
      case 'job.rejected':
        this.held = null;
        break;
      case 'job.rolled-back':
        this.result = null;
        break;
      case 'job.finished':
        this.result = data.result;
        this.held = null;
        this.running.clear();
        this.waiting.clear();
        break;
      case 'phase.started':
        this.phases.set(data.phase, { startedAt: time, result: null });
        break;
      case 'phase.finished':
        this.phases.set(data.phase, { startedAt: this.phases.get(data.phase)?.startedAt ?? time, result: data.result });
        break;
      case 'step.waiting':
        this.running.delete(data.executionId);
        this.waiting.set(data.executionId, { title: data.title, class: data.class });
        break;
      case 'step.started':
        this.waiting.delete(data.executionId);
        this.running.set(data.executionId, { title: data.title, node: data.node, startedAt: time });
        break;
      case 'step.finished':
        this.#leave(data.executionId);
        if (data.cached) this.stepsCached += 1;
        else this.stepsRun += 1;
        break;
      case 'step.interrupted':
        this.#leave(data.executionId);
        break;
      case 'items.changed':
        for (const item of data.items) this.items.set(item.id, item);
        break;
      case 'checkpoint.recorded':
      case 'chat.asked':
      case 'chat.answered':
      case 'reasoning.chosen':
      case 'reasoning.step':
      case 'model.asked':
      case 'model.answered':
      case 'tool.called':
      case 'agent.asks':
      case 'agent.limited':
      case 'agent.out-of-budget':
      case 'note':
        break;
    }
  }

  #leave(executionId: string): void {
    this.running.delete(executionId);
    this.waiting.delete(executionId);
  }
}
