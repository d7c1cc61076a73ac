import type { Checkpoint, JobStatus, JobView, Mode, PhaseResult, StepCounts, TestCounts } from '../contracts/job.ts';
import type { WorkItemView } from '../contracts/plan.ts';
import type { ImportedSource } from '../contracts/snapshot.ts';
import type { DevJobInput } from '../contracts/workflow.ts';
import { describeItems } from './item-graph.ts';

/** A message that does not fit the job's state, e.g. an approval of a rejected plan. */
export class WrongStateError extends Error {
  override readonly name = 'WrongStateError';
}

/** The state of one job, without Temporal: what messages change and what the main logic reads. */
export class JobState {
  readonly checkpoints: Checkpoint[] = [];
  /** In the order of the plan. */
  items: readonly WorkItemView[] = [];
  readonly phases: Partial<Record<Mode, PhaseResult>> = {};
  phase: JobView['phase'] = 'source';
  imported: ImportedSource | null = null;
  paused = false;
  awaitingApproval = false;
  rejection: string | null = null;
  final: JobStatus | null = null;
  private approved = false;
  private pendingRollback: Checkpoint | null = null;

  readonly input: DevJobInput;

  constructor(input: DevJobInput) {
    this.input = input;
  }

  get status(): JobStatus {
    if (this.final) return this.final;
    if (this.paused) return 'paused';
    return this.awaitingApproval && !this.decided ? 'waiting-for-approval' : 'running';
  }

  get decided(): boolean {
    return this.approved || this.rejection !== null;
  }

  get rollbackRequested(): boolean {
    return this.pendingRollback !== null;
  }

  /** The snapshot that the job stands on: that of its latest checkpoint. */
  get snapshot(): string {
    return this.checkpoints.at(-1)!.snapshot;
  }

  approve(): void {
    this.requireRunning('approve');
    if (this.rejection !== null) throw new WrongStateError('the plan was rejected before; a rejection is final');
    this.approved = true;
  }

  reject(reason: string): void {
    this.requireRunning('reject');
    if (this.rejection !== null) return;
    if (this.approved) throw new WrongStateError('the plan was approved before; cancel the job instead');
    if (!this.input.request.approve)
      throw new WrongStateError('this job does not wait for an approval; cancel it instead');
    this.rejection = reason;
  }

  pause(): void {
    this.requireRunning('pause');
    this.paused = true;
  }

  resume(): void {
    this.requireRunning('resume');
    this.paused = false;
  }

  /** Asks the main logic to go back to a checkpoint. */
  requestRollback(checkpointId: string): void {
    this.requireRunning('roll back');
    this.pendingRollback = this.checkpoint(checkpointId);
  }

  checkpoint(checkpointId: string): Checkpoint {
    const found = this.checkpoints.find((checkpoint) => checkpoint.id === checkpointId);
    if (!found) {
      const known = this.checkpoints.map((checkpoint) => checkpoint.id).join(', ') || 'none yet';
      throw new WrongStateError(`there is no checkpoint ${checkpointId}; the checkpoints are: ${known}`);
    }
    return found;
  }

  /** An item that is known is in another state. When all are new, a plan was made anew. */
  updateItems(changed: readonly WorkItemView[]): void {
    const isKnown = changed.every(({ id }) => this.items.some((item) => item.id === id));
    if (!isKnown) this.items = changed;
    else this.items = this.items.map((item) => changed.find(({ id }) => id === item.id) ?? item);
  }

  recordCheckpoint(checkpoint: Omit<Checkpoint, 'id'>): Checkpoint {
    const recorded = { id: `c${this.checkpoints.length}`, ...checkpoint };
    this.checkpoints.push(recorded);
    return recorded;
  }

  /**
   * Carries out a requested rollback: the checkpoint's snapshot becomes the latest again, as a checkpoint of its own (history is
   * never shortened), phases after it count as not done, and the job pauses for a decision. Returns the checkpoint gone back to.
   */
  takeRollback(): Checkpoint | null {
    const target = this.pendingRollback;
    if (!target) return null;
    this.pendingRollback = null;
    this.recordCheckpoint({ phase: target.phase, snapshot: target.snapshot, title: `Rolled back to ${target.id}` });
    for (const mode of this.modesAfter(target.phase)) delete this.phases[mode];
    this.paused = true;
    return target;
  }

  /** The modes of this job that come after a phase. */
  modesAfter(phase: Checkpoint['phase']): Mode[] {
    const { modes } = this.input.request;
    return phase === 'source' ? modes : modes.slice(modes.indexOf(phase) + 1);
  }

  get steps(): StepCounts {
    const counts = { run: 0, cached: 0 };
    for (const phase of Object.values(this.phases)) {
      counts.run += phase.steps.run;
      counts.cached += phase.steps.cached;
    }
    return counts;
  }

  get tests(): TestCounts {
    return this.phases.testing?.tests ?? { total: 0, passed: 0, failed: 0, skipped: 0 };
  }

  /** The page shown as "current details" in the Temporal Web UI, in Markdown. */
  describe(): string {
    const { request, jobId } = this.input;
    const lines = [
      `**${jobId}** is **${this.status}**${this.final || !this.phase ? '' : ` in *${this.phase}*`}`,
      '',
      ...this.whatIsAsked(),
      ...(request.goal ? [`> ${request.goal.replaceAll('\n', ' ').slice(0, 300)}`, ''] : []),
      '| phase | status | what came of it | steps run | cached |',
      '| --- | --- | --- | --- | --- |',
      ...request.modes.map((mode) => phaseRow(mode, this.phases[mode], this.phase === mode && !this.final)),
      '',
      ...(this.items.length > 0 ? [describeItems(this.items), ''] : []),
      '| checkpoint | phase | snapshot | |',
      '| --- | --- | --- | --- |',
      ...this.checkpoints
        .slice(-50)
        .map(
          ({ id, phase, snapshot, title }) => `| ${id} | ${phase} | \`${snapshot.slice(0, 12)}\` | ${cell(title)} |`,
        ),
    ];
    return lines.join('\n');
  }

  private whatIsAsked(): string[] {
    const { jobId } = this.input;
    if (this.status === 'waiting-for-approval')
      return [`Waiting for \`helix approve ${jobId}\` or \`helix reject ${jobId}\`.`, ''];
    return this.status === 'paused' ? [`\`helix resume ${jobId}\` lets it go on.`, ''] : [];
  }

  private requireRunning(verb: string): void {
    if (this.final) throw new WrongStateError(`cannot ${verb}: the job has ended (${this.final})`);
  }
}

function phaseRow(mode: Mode, result: PhaseResult | undefined, running: boolean): string {
  if (!result) return `| ${mode} | ${running ? 'running' : 'to come'} | | | |`;
  return `| ${mode} | ${result.status} | ${cell(result.summary)} | ${result.steps.run} | ${result.steps.cached} |`;
}

function cell(text: string): string {
  return text.replaceAll('|', '\\|').replaceAll('\n', ' ').slice(0, 200);
}
