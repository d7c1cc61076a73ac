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

type Asked = Pick<ModelCallInput, 'spec' | 'head' | 'snapshot'>;
export type ModelAnswer = Extract<ModelCallResult, { kind: 'answer' }>;

/** The model calls of a turn: which model, within which budget, and what is waited for. */
export class ModelCalls {
  readonly ledger: Ledger;
  private readonly turn: CallingTurn;
  private modelIndex = 0;

  constructor(turn: CallingTurn) {
    this.turn = turn;
    this.ledger = new Ledger(turn.budget);
  }

  /** Asks until there is an answer: waits out limits, waits for a larger budget, goes on to the next model. */
  async ask(after: Asked): Promise<ModelAnswer> {
    for (;;) {
      const exhausted = this.ledger.exhausted();
      if (exhausted) {
        await this.waitForBudget(exhausted);
        continue;
      }
      const reserved = this.ledger.reserve();
      let result: ModelCallResult;
      try {
        result = await this.timed(() => this.callModel(after, reserved));
      } catch (error) {
        this.ledger.settle(reserved, await this.spentBy(error));
        if (isCancellation(error) || !this.nextModel(error)) throw error;
        await this.turn.note(`${failureMessage(error)}; going on with ${this.model}`);
        continue;
      }
      this.ledger.settle(reserved, result.spent);
      if (result.kind === 'answer') return result;
      if (result.kind === 'wait') await this.hibernate(result.waitMs, result.reason);
      else await this.waitForBudget(result.reason);
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
      summary: `${model}: ${title}`.slice(0, 200),
    });
    return callModel({ jobId, title, model, ...after, budget });
  }

  /** What a call that was given up may have cost. One that was never scheduled cost nothing. */
  private async spentBy(error: unknown): Promise<Spending> {
    if (!(error instanceof ActivityFailure) || !error.activityId) return nothingSpent;
    const call = { jobId: this.turn.jobId, activityId: error.activityId };
    return await CancellationScope.nonCancellable(() => settleModelCall(call));
  }

  /** Whether there is another model to go on with. What the user decided by a wrong request is not mended by asking somebody else. */
  private nextModel(error: unknown): boolean {
    if (!(error instanceof ActivityFailure) || failureCode(error) === 'llm.invalid-request') return false;
    if (this.modelIndex + 1 >= this.turn.models.length) return false;
    this.modelIndex += 1;
    return true;
  }

  private async hibernate(waitMs: number, reason: string): Promise<void> {
    const until = new Date(Date.now() + waitMs).toISOString();
    await this.turn.event({ type: 'agent.limited', ...this.turn.identity(), reason, until });
    this.turn.show(`waits until ${until}: ${reason}`);
    await sleep(waitMs, { summary: `${reason}: until ${until}`.slice(0, 200) });
  }

  private async waitForBudget(reason: string): Promise<void> {
    const { changes } = this.ledger;
    // Others hold parts of it, and may give some back.
    if (!this.ledger.hasReserved) {
      await this.turn.event({ type: 'agent.out-of-budget', ...this.turn.identity(), reason });
      this.turn.show(`waits for a larger budget: ${reason}`);
    }
    await condition(() => this.ledger.changes > changes);
  }

  /** Does work that counts against the budget of time. */
  async timed<T>(work: () => Promise<T>): Promise<T> {
    const startedAt = Date.now();
    try {
      return await work();
    } finally {
      this.ledger.worked(Date.now() - startedAt);
    }
  }
}
