import { ActivityFailure, CancellationScope, condition, isCancellation, sleep } from '@temporalio/workflow';
import type { createModelActivities } from '../activities/models.ts';
import type { createSpendingActivities } from '../activities/spending.ts';
import type { Budget, Spending } from '../contracts/agent.ts';
import type { JobEventData } from '../contracts/event.ts';
import type { ModelCallInput, ModelCallResult } from '../contracts/workflow.ts';
import { proxyActivities } from './activities.ts';
import { Ledger, nothingSpent } from './ledger.ts';
import { failureCode, failureMessage } from './steps.ts';
import { modelTaskQueue } from './task-queues.ts';

const { settleModelCall } = proxyActivities<ReturnType<typeof createSpendingActivities>>({
  startToCloseTimeout: '1m',
  summary: 'Sum up what was spent',
  // A database that is away holds the settling back and never fails it.
  retry: { initialInterval: '200ms', maximumInterval: '10s' },
});

/** A quarter of an hour for the last model there is, a quarter of a minute for one that another can stand in for. */
const attemptsOfLastModel = 20;
const attemptsBeforeNextModel = 6;

/** What a call needs to know of the turn that it belongs to, and how it tells people what it waits for. */
export interface CallingTurn {
  jobId: string;
  title: string;
  /** Tried in this order; never empty. */
  models: readonly string[];
  budget: Budget;
  identity(): { turn: string; title: string };
  event(data: JobEventData): Promise<void>;
  note(message: string): Promise<void>;
  show(now: string): void;
}

type Asked = Omit<ModelCallInput, 'jobId' | 'title' | 'model' | 'budget'>;
export type ModelAnswer = Extract<ModelCallResult, { kind: 'answer' }>;

/** The model calls of a turn: which model, within which budget, and what is waited for. */
export class ModelCalls {
  readonly ledger: Ledger;
  private readonly turn: CallingTurn;
  private modelIndex = 0;
  /** How much is under way that counts against the budget of time, and since when. */
  private working = 0;
  private workingSince = 0;

  constructor(turn: CallingTurn) {
    this.turn = turn;
    this.ledger = new Ledger(turn.budget);
  }

  /**
   * Asks until there is an answer: waits out limits, waits for a larger budget, goes on to the next model. `atOnce` calls, this one included, are made at the same
   * time and share what is left of the budget; where a part of it is too little, they are made one after the other.
   */
  async ask(after: Asked, atOnce = 1): Promise<ModelAnswer> {
    let shares = atOnce;
    for (;;) {
      const { modelIndex } = this;
      // A raise that comes while the call is under way is not known to it.
      const { raised } = this.ledger;
      const exhausted = this.ledger.exhausted();
      if (exhausted) {
        await this.waitForBudget(exhausted, raised, !this.ledger.hasReserved);
        continue;
      }
      const isAll = shares === 1 && !this.ledger.hasReserved;
      const reserved = this.ledger.reserveOneOf(shares);
      let result: ModelCallResult;
      try {
        result = await this.withinTime(() => this.callModel(after, reserved));
      } catch (error) {
        this.ledger.settle(reserved, await this.spentBy(error));
        if (error instanceof OutOfTime) {
          await this.waitForBudget(error.message, raised, true);
          continue;
        }
        if (isCancellation(error) || !this.nextModel(error, modelIndex)) throw error;
        await this.turn.note(`${failureMessage(error)}; going on with ${this.model}`);
        continue;
      }
      this.ledger.settle(reserved, result.spent);
      if (result.kind === 'answer') return result;
      if (result.kind === 'wait') await this.hibernate(result.waitMs, result.reason);
      else if (shares > 1) shares = 1;
      else await this.waitForBudget(result.reason, raised, isAll);
    }
  }

  get model(): string {
    return this.turn.models[this.modelIndex]!;
  }

  private callModel(after: Asked, budget: Budget): Promise<ModelCallResult> {
    const { model } = this;
    const { jobId, title } = this.turn;
    const { callModel } = proxyActivities<ReturnType<typeof createModelActivities>>({
      taskQueue: modelTaskQueue(model.split('/')[0]!),
      // A long answer of a slow model, thinking included.
      startToCloseTimeout: '60m',
      retry: {
        initialInterval: '500ms',
        backoffCoefficient: 2,
        maximumInterval: '60s',
        maximumAttempts: this.modelIndex + 1 < this.turn.models.length ? attemptsBeforeNextModel : attemptsOfLastModel,
      },
      cancellationType: 'TRY_CANCEL',
      summary: [model, title, ...(after.step === undefined ? [] : [after.step])].join(': ').slice(0, 200),
    });
    return callModel({ jobId, title, model, ...after, budget });
  }

  /** What a call that was given up may have cost. One that was never scheduled cost nothing. */
  private async spentBy(error: unknown): Promise<Spending> {
    const failure = error instanceof OutOfTime ? error.cause : error;
    if (!(failure instanceof ActivityFailure) || !failure.activityId) return nothingSpent;
    const call = { jobId: this.turn.jobId, activityId: failure.activityId };
    return await CancellationScope.nonCancellable(() => settleModelCall(call));
  }

  /** Whether there is another model to go on with. What the user decided by a wrong request is not mended by asking somebody else. */
  private nextModel(error: unknown, failed: number): boolean {
    if (!(error instanceof ActivityFailure) || failureCode(error) === 'llm.invalid-request') return false;
    // Another call may have gone on already.
    if (this.modelIndex !== failed) return true;
    if (failed + 1 >= this.turn.models.length) return false;
    this.modelIndex += 1;
    return true;
  }

  private async hibernate(waitMs: number, reason: string): Promise<void> {
    const until = new Date(Date.now() + waitMs).toISOString();
    await this.turn.event({ type: 'agent.limited', ...this.turn.identity(), reason, until });
    this.turn.show(`waits until ${until}: ${reason}`);
    await sleep(waitMs, { summary: `${reason}: until ${until}`.slice(0, 200) });
  }

  /**
   * `raised` is how often the budget was raised when it was looked at. `isAll`: there is no more than what was not enough. Otherwise others hold parts of it, and
   * may give some back.
   */
  private async waitForBudget(reason: string, raised: number, isAll: boolean): Promise<void> {
    const { changes } = this.ledger;
    if (!isAll) return await condition(() => this.ledger.changes > changes || !this.ledger.hasReserved);
    if (this.ledger.raised > raised) return;
    await this.turn.event({ type: 'agent.out-of-budget', ...this.turn.identity(), reason });
    this.turn.show(`waits for a larger budget: ${reason}`);
    // Not for what others give back: they have found it too little as well, and would wake each other for ever.
    await condition(() => this.ledger.raised > raised);
  }

  /** Does work that counts against the budget of time. Time passes once for all that is done at the same time. */
  async timed<T>(work: () => Promise<T>): Promise<T> {
    if (this.working === 0) this.workingSince = Date.now();
    this.working += 1;
    try {
      return await work();
    } finally {
      this.working -= 1;
      if (this.working === 0) this.ledger.worked(Date.now() - this.workingSince);
    }
  }

  /**
   * Does work that counts against the budget of time and changes nothing until it is done: at the limit it is ended, and done anew when the budget was
   * raised.
   */
  async repeatable<T>(work: () => Promise<T>): Promise<T> {
    for (;;) {
      const { raised } = this.ledger;
      try {
        return await this.withinTime(work);
      } catch (error) {
        if (!(error instanceof OutOfTime)) throw error;
        await this.waitForBudget(error.message, raised, true);
      }
    }
  }

  /** Throws OutOfTime when the budget of time has ended the work. */
  private async withinTime<T>(work: () => Promise<T>): Promise<T> {
    const { minutes } = this.ledger.left();
    if (minutes === undefined) return await this.timed(work);
    const leftMs = Math.ceil(minutes * 60_000) - (this.working > 0 ? Date.now() - this.workingSince : 0);
    if (leftMs <= 0) throw new OutOfTime(this.ledger.outOfTime);
    const outer = CancellationScope.current();
    const limit = new CancellationScope({ cancellable: true, timeout: leftMs });
    try {
      return await this.timed(() => limit.run(work));
    } catch (error) {
      if (!isCancellation(error) || !limit.consideredCancelled || outer.consideredCancelled) throw error;
      throw new OutOfTime(this.ledger.outOfTime, { cause: error });
    }
  }
}

/** The budget of time is used up; its cause is how the work ended. */
class OutOfTime extends Error {}
