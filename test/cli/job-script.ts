import type { JobEventData } from '../../contracts/event.ts';
import type { JobResult } from '../../contracts/job.ts';
import { appendEvents } from '../../db/events.ts';
import { updateJob } from '../../db/jobs.ts';
import { finishSteps, startSteps } from '../../db/steps.ts';
import { resultOf } from '../db/samples.ts';
import type { TestApi } from '../api/with-api.ts';

const phaseResult = {
  status: 'succeeded' as const,
  summary: '1 package built',
  steps: { run: 1, cached: 0 },
  durationMs: 1500,
  artifacts: {},
};

/** Plays the records that a job leaves: a phase with one step, a note, and its end. */
export class JobScript {
  readonly #api: TestApi;
  readonly jobId: string;
  #said: number;

  /** A second script of one job counts its events from elsewhere. */
  constructor(api: TestApi, jobId: string, said = 0) {
    this.#api = api;
    this.jobId = jobId;
    this.#said = said;
  }

  async say(...events: JobEventData[]): Promise<void> {
    const at = new Date().toISOString();
    await appendEvents(
      this.#api.database,
      this.jobId,
      events.map((data) => ({ key: `${this.#said++}`, at, data })),
    );
  }

  async build(): Promise<void> {
    const step = {
      executionId: `${this.jobId}/build`,
      taskId: 'build:core',
      title: 'Build packages/core',
      phase: 'building' as const,
    };
    await this.say({ type: 'phase.started', phase: 'building' });
    const identity = { jobId: this.jobId, ...step };
    await startSteps(this.#api.database, this.jobId, [{ ...identity, node: 'node-1', attempt: 1 }]);
    this.#api.logs.set(step.executionId, Buffer.from('compiling\ndone\n'));
    await this.say({ type: 'step.started', ...step, node: 'node-1', attempt: 1 });
    const outcome = { state: 'succeeded', exitCode: 0, end: 'exited', logBytes: 15, durationMs: 900 } as const;
    await finishSteps(this.#api.database, this.jobId, [{ ...identity, outcome }]);
    await this.say(
      {
        type: 'step.finished',
        ...step,
        node: 'node-1',
        cached: false,
        end: 'exited',
        exitCode: 0,
        durationMs: 900,
        logBytes: 15,
      },
      { type: 'phase.finished', phase: 'building', result: phaseResult },
    );
  }

  async finish(more: Partial<JobResult> = {}): Promise<void> {
    const result = resultOf(this.jobId, { phases: { building: phaseResult }, ...more });
    await updateJob(this.#api.database, this.jobId, {
      status: result.status,
      phase: null,
      result,
      checkpoints: result.checkpoints,
    });
    await this.say({ type: 'job.finished', result });
  }

  async waitForApproval(): Promise<void> {
    await updateJob(this.#api.database, this.jobId, { status: 'waiting-for-approval' });
    await this.say({ type: 'job.waiting-for-approval', plan: '# The plan\n\nBuild it.' });
  }

  async decide(decision: JobEventData): Promise<void> {
    await updateJob(this.#api.database, this.jobId, { status: 'running' });
    await this.say(decision);
  }
}
