import {
  CancellationScope,
  type ChildWorkflowHandle,
  condition,
  isCancellation,
  setHandler,
  startChild,
  workflowInfo,
} from '@temporalio/workflow';
import type { createSourceActivities } from '../activities/sources.ts';
import type { Checkpoint, JobResult, Mode } from '../contracts/job.ts';
import type { DevJobInput, ModeInput, ModeOutput, Published, TaskOutcome } from '../contracts/workflow.ts';
import { proxyActivities } from './activities.ts';
import { building } from './building.ts';
import { settleByRecord } from './child-turn.ts';
import { JobState } from './job-state.ts';
import { Ledger, nothingSpent } from './ledger.ts';
import * as messages from './messages.ts';
import { planning } from './planning.ts';
import { orWrongState } from './or-wrong-state.ts';
import { Progress } from './progress.ts';
import { refactoring } from './refactoring.ts';
import { failureCode, failureMessage, finishHandlers } from './steps.ts';
import { sourceTaskQueue } from './task-queues.ts';
import { tellChild } from './tell-child.ts';
import { testing } from './testing.ts';

const { importSource, publish } = proxyActivities<ReturnType<typeof createSourceActivities>>({
  taskQueue: sourceTaskQueue,
  // A first fetch of a large repository over a slow line.
  startToCloseTimeout: '60m',
  retry: { maximumInterval: '30s', maximumAttempts: 3 },
});

const workflowOfMode = { planning, building, testing, refactoring } satisfies Record<
  Mode,
  (input: ModeInput) => Promise<ModeOutput>
>;

/** Carries one goal on one repository through its modes, and publishes what came of it. */
export async function devJob(input: DevJobInput): Promise<JobResult> {
  const job = new DevJob(input);
  return await job.run();
}

class DevJob {
  private readonly startedAt = Date.now();
  private readonly state: JobState;
  private readonly progress: Progress;
  private child: ChildWorkflowHandle<(input: ModeInput) => Promise<ModeOutput>> | null = null;
  private phaseScope: CancellationScope | null = null;
  private plan: string | undefined;
  private conversation: string | undefined;
  /** What planning ended with. */
  private planned: Pick<ModeOutput, 'plan' | 'conversation'> = {};
  private readonly ledger: Ledger;
  private outcomes: TaskOutcome[] = [];
  private failure: JobResult['reason'];
  private runs = 0;

  private readonly input: DevJobInput;

  constructor(input: DevJobInput) {
    this.input = input;
    this.state = new JobState(input);
    this.progress = new Progress(this.state);
    this.ledger = new Ledger(input.request.budget ?? {});
    this.listen();
  }

  async run(): Promise<JobResult> {
    let status: JobResult['status'];
    try {
      status = await this.main();
    } catch (error) {
      if (!isCancellation(error)) this.failure = { code: failureCode(error), message: failureMessage(error) };
      status = isCancellation(error) ? 'cancelled' : 'failed';
    }
    return await CancellationScope.nonCancellable(() => this.finish(status));
  }

  private listen(): void {
    const { state } = this;
    setHandler(messages.jobStateQuery, () => ({
      status: state.status,
      phase: state.phase,
      checkpoints: state.checkpoints,
      imported: state.imported,
    }));
    setHandler(messages.approveUpdate, () => orWrongState(() => state.approve()));
    setHandler(messages.rejectUpdate, (reason) => orWrongState(() => state.reject(reason)));
    setHandler(messages.pauseUpdate, async () => {
      const wasPaused = state.paused;
      orWrongState(() => state.pause());
      await tellChild(this.child?.signal(messages.pauseSignal));
      if (!wasPaused) await this.progress.say({ type: 'job.paused' });
    });
    setHandler(messages.resumeUpdate, async () => {
      const wasPaused = state.paused;
      orWrongState(() => state.resume());
      await tellChild(this.child?.signal(messages.resumeSignal));
      if (wasPaused) await this.progress.say({ type: 'job.resumed' });
    });
    setHandler(messages.rollbackToUpdate, (checkpointId) => {
      orWrongState(() => state.requestRollback(checkpointId));
      this.phaseScope?.cancel();
    });
    setHandler(messages.checkpointSignal, async (checkpoint) => {
      const recorded = state.recordCheckpoint(checkpoint);
      await this.progress.say({ type: 'checkpoint.recorded', checkpoint: recorded });
    });
    setHandler(messages.workItemsSignal, async (items) => {
      state.updateItems(items);
      await this.progress.say({ type: 'items.changed', items });
    });
  }

  private async main(): Promise<'succeeded' | 'failed' | 'rejected'> {
    const { state, progress } = this;
    const { request } = this.input;
    const importing = importSource.executeWithOptions({ summary: `Take a snapshot of ${request.source.location}` }, [
      { project: this.input.project, source: request.source },
    ]);
    const started = progress.say({
      type: 'job.started',
      goal: request.goal,
      location: request.source.location,
    });
    [state.imported] = await Promise.all([importing, started]);
    const { snapshot, dirty } = state.imported;
    const source = state.recordCheckpoint({
      phase: 'source',
      snapshot,
      title: dirty ? 'Source with uncommitted work' : 'Source',
    });
    progress.later({ type: 'checkpoint.recorded', checkpoint: source });

    let next = 0;
    for (;;) {
      const target = state.takeRollback();
      if (target) {
        next = request.modes.length - state.modesAfter(target.phase).length;
        this.outcomes = [];
        if (request.model) this.forgetAgents(target.phase);
        await progress.say({ type: 'job.rolled-back', checkpoint: target }, { type: 'job.paused' });
      }
      if (state.paused) {
        await progress.flush();
        await condition(() => !state.paused || state.rollbackRequested);
      }
      if (state.rollbackRequested) continue;
      const mode = request.modes[next];
      if (!mode || this.shouldStopBefore(mode)) break;
      const finished = await this.runPhase(mode);
      if (!finished) continue;
      if (mode === 'planning' && request.approve && !(await this.waitForApproval())) {
        if (state.rejection === null) continue;
        return 'rejected';
      }
      next += 1;
    }
    return this.failure ? 'failed' : 'succeeded';
  }

  /** After a failure nothing more is done, except that recipes are judged against the state before them, failing or not. */
  private shouldStopBefore(mode: Mode): boolean {
    if (!this.failure) return false;
    return !(mode === 'refactoring' && this.input.request.recipes.length > 0 && this.plan !== undefined);
  }

  /** Runs one mode as a child workflow. False when a rollback interrupted it. */
  private async runPhase(mode: Mode): Promise<boolean> {
    const { state, progress } = this;
    state.phase = mode;
    await progress.say({ type: 'phase.started', phase: mode });
    let output: ModeOutput;
    try {
      output = await this.runChild(mode);
    } catch (error) {
      if (isCancellation(error) && state.rollbackRequested) return false;
      throw error;
    }
    this.takeOver(output);
    if (mode === 'planning') this.planned = output;
    state.phases[mode] = output.phase;
    const failed = output.phase.status === 'failed' || output.phase.status === 'rolled-back';
    if (failed)
      this.failure ??= {
        code: mode === 'planning' ? 'plan.nothing-to-do' : `${mode}.failed`,
        message: output.phase.summary,
      };
    const checkpoint = state.recordCheckpoint({ phase: mode, snapshot: output.snapshot, title: `After ${mode}` });
    progress.later(
      { type: 'phase.finished', phase: mode, result: output.phase },
      { type: 'checkpoint.recorded', checkpoint },
    );
    return true;
  }

  /** What the next phase goes on with. */
  private takeOver(output: ModeOutput): void {
    if (output.plan) this.plan = output.plan;
    if (output.conversation) this.conversation = output.conversation;
    this.outcomes = output.outcomes;
    this.ledger.raise(output.raised ?? {});
    this.ledger.settle({}, output.phase.spending ?? nothingSpent);
  }

  private async runChild(mode: Mode, request = this.input.request): Promise<ModeOutput> {
    const { jobId, project } = this.input;
    if (mode !== 'planning' && this.plan === undefined) await this.planSilently();
    const run = this.runs++;
    // Every run has an id of its own: by it, what a phase that broke has spent is found.
    const workflowId = `${workflowInfo().workflowId}/${mode}${run > 0 ? `-${run}` : ''}`;
    this.phaseScope = new CancellationScope();
    try {
      return await this.phaseScope.run(async () => {
        this.child = await startChild(workflowOfMode[mode], {
          workflowId,
          args: [
            {
              jobId,
              project,
              request,
              snapshot: this.state.snapshot,
              baseline: this.outcomes,
              ...(this.plan ? { plan: this.plan } : {}),
              ...this.forAgents(),
            },
          ],
          cancellationType: 'WAIT_CANCELLATION_COMPLETED',
          parentClosePolicy: 'REQUEST_CANCEL',
          staticSummary: `${mode} for ${jobId}`,
          searchAttributes: { HelixProject: [project], HelixMode: [mode] },
        });
        if (this.state.paused) await tellChild(this.child.signal(messages.pauseSignal));
        return await this.child.result();
      });
    } catch (error) {
      await settleByRecord(this.ledger, jobId, workflowId);
      throw error;
    } finally {
      this.child = null;
      this.phaseScope = null;
    }
  }

  /** Agents may have changed what there is to build, and talked of changes that are no longer there. What planning found out holds at its end. */
  private forgetAgents(phase: Checkpoint['phase']): void {
    const { plan, conversation } = phase === 'planning' ? this.planned : {};
    this.plan = plan;
    this.conversation = conversation;
  }

  /** A job without a model has none of it in its history. */
  private forAgents(): Pick<ModeInput, 'conversation' | 'budget' | 'source'> {
    if (!this.input.request.model) return {};
    return {
      ...(this.conversation ? { conversation: this.conversation } : {}),
      budget: this.ledger.left(),
      source: this.state.imported!,
    };
  }

  /** A job that was not asked to plan still needs to know what there is to build and test; no agent is asked for that. */
  private async planSilently(): Promise<void> {
    const { model: _, ...request } = this.input.request;
    this.takeOver(await this.runChild('planning', request));
  }

  /** False when the plan was rejected or a rollback came first. */
  private async waitForApproval(): Promise<boolean> {
    const { state, progress } = this;
    state.awaitingApproval = true;
    if (!state.decided) {
      await progress.say({ type: 'job.waiting-for-approval', plan: state.phases.planning!.artifacts['plan.md']! });
      await condition(() => state.decided || state.rollbackRequested);
    }
    state.awaitingApproval = false;
    if (state.rejection !== null) {
      await progress.say({ type: 'job.rejected', reason: state.rejection });
      return false;
    }
    if (state.rollbackRequested) return false;
    await progress.say({ type: 'job.approved' });
    return true;
  }

  private async finish(decided: JobResult['status']): Promise<JobResult> {
    const { state, progress } = this;
    let status = decided;
    let published: Published = { branch: null, patch: null };
    if (this.worthPublishing(status)) {
      state.phase = 'publishing';
      await progress.say();
      try {
        published = await this.publish();
      } catch (error) {
        status = 'failed';
        this.failure ??= { code: failureCode(error), message: failureMessage(error) };
      }
    }
    const result: JobResult = {
      jobId: this.input.jobId,
      workflowId: workflowInfo().workflowId,
      status,
      ...published,
      snapshot: state.checkpoints.at(-1)?.snapshot ?? null,
      checkpoints: state.checkpoints,
      phases: state.phases,
      tests: state.tests,
      steps: state.steps,
      ...(this.ledger.hasSpent ? { spending: this.ledger.spent } : {}),
      durationMs: Date.now() - this.startedAt,
      ...this.reasonFor(status),
    };
    state.final = status;
    await progress.finish({ type: 'job.finished', result });
    await finishHandlers();
    return result;
  }

  /** A failed job's branch is still worth having when a kept change is on it. */
  private worthPublishing(status: JobResult['status']): boolean {
    const { imported, checkpoints } = this.state;
    if (!imported) return false;
    const changed = checkpoints.at(-1)!.snapshot !== imported.snapshot;
    return status === 'succeeded' || (status === 'failed' && changed);
  }

  private async publish(): Promise<Published> {
    const { jobId, project, request } = this.input;
    return await publish.executeWithOptions({ summary: `Publish the result of ${jobId}` }, [
      {
        jobId,
        project,
        source: request.source,
        imported: this.state.imported!,
        goal: request.goal,
        checkpoints: this.state.checkpoints,
        force: false,
      },
    ]);
  }

  private reasonFor(status: JobResult['status']): Pick<JobResult, 'reason'> {
    if (status === 'failed' && this.failure) return { reason: this.failure };
    if (status === 'rejected')
      return { reason: { code: 'job.rejected', message: this.state.rejection || 'the plan was rejected' } };
    if (status === 'cancelled')
      return { reason: { code: 'job.cancelled', message: 'the job was cancelled; its checkpoints are kept' } };
    return {};
  }
}
