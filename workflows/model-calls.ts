import {
  ActivityFailure,
  type ActivityOptions,
  ApplicationFailure,
  CancellationScope,
  condition,
  isCancellation,
  sleep,
} from '@temporalio/workflow';
import type { createModelActivities } from '../activities/models.ts';
import type { createNodeModelActivities } from '../activities/node-models.ts';
import type { createSpendingActivities } from '../activities/spending.ts';
import type { Budget, Spending } from '../contracts/agent.ts';
import type { JobEventData } from '../contracts/event.ts';
import type { ModelCallInput, ModelCallResult } from '../contracts/workflow.ts';
import { nodeOfModel } from '../contracts/derived.ts';
import { proxyActivities } from './activities.ts';
import { Ledger, nothingSpent } from './ledger.ts';
import { ModelChoice } from './model-choice.ts';
import { onHolder } from './on-holder.ts';
import { failureCode, failureMessage } from './steps.ts';
import { fleetTaskQueue, modelTaskQueue } from './task-queues.ts';

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

type Asked = Omit<ModelCallInput, 'jobId' | 'title' | 'model' | 'budget' | 'route' | 'paid'>;
export type ModelAnswer = Extract<ModelCallResult, { kind: 'answer' }>;

/** The model calls of a turn: which model, within which budget, and what is waited for. */
export class ModelCalls {
  readonly ledger: Ledger;
  private readonly turn: CallingTurn;
  private readonly choice: ModelChoice;
  /** How much is under way that counts against the budget of time, and since when. */
  private working = 0;
  private workingSince = 0;

  constructor(turn: CallingTurn) {
    this.turn = turn;
    this.ledger = new Ledger(turn.budget);
    this.choice = new ModelChoice(turn.models);
  }

  /**
   * Asks until there is an answer: waits out limits, waits for a larger budget, goes on to the next model. `atOnce` calls, this one included, are made at the same
   * time and share what is left of the budget; where a part of it is too little, they are made one after the other.
   */
  async ask(after: Asked, atOnce = 1): Promise<ModelAnswer> {
    let shares = atOnce;
    let routes = 0;
    let paid: { model: string; tokens: number } | undefined;
    for (;;) {
      // A raise that comes while the call is under way is not known to it.
      const { raised } = this.ledger;
      const exhausted = this.ledger.exhausted();
      if (exhausted) {
        await this.waitForBudget(exhausted, raised, !this.ledger.hasReserved);
        continue;
      }
      const model = await this.freeModel();
      const isAll = shares === 1 && !this.ledger.hasReserved;
      const reserved = this.ledger.reserveOneOf(shares);
      const route = this.choice.route(routes);
      const more = { ...(route ? { route } : {}), ...(paid?.model === model ? { paid: paid.tokens } : {}) };
      let result: ModelCallResult;
      try {
        result = await this.withinTime(() => this.callModel(model, { ...after, ...more }, reserved));
      } catch (error) {
        this.ledger.settle(reserved, await this.spentBy(error));
        if (error instanceof OutOfTime) await this.waitForBudget(error.message, raised, true);
        else await this.goOnAfter(model, error);
        continue;
      }
      this.ledger.settle(reserved, result.spent);
      paid = undefined;
      switch (result.kind) {
        case 'answer':
          return result;
        case 'route':
          routes += 1;
          this.choice.takeInstead(result.model);
          await this.goOnWith(result.model, result.reason);
          break;
        case 'wait':
          if (result.paid !== undefined) paid = { model, tokens: result.paid };
          await this.waitFor(model, result);
          break;
        case 'budget':
          if (shares > 1) shares = 1;
          else await this.waitForBudget(result.reason, raised, isAll);
      }
    }
  }

  /** The one asked last. */
  get model(): string {
    return this.choice.current;
  }

  /** The model to ask now, after a wait where all are limited. */
  private async freeModel(): Promise<string> {
    for (;;) {
      const model = this.choice.pick(Date.now());
      if (model === undefined) {
        await this.hibernate(this.choice.freeAt(Date.now()) - Date.now(), 'all models are limited by their providers');
        continue;
      }
      if (model !== this.model) await this.goOnWith(model, 'the limit of its provider is over');
      return model;
    }
  }

  private callModel(
    model: string,
    asked: Omit<ModelCallInput, 'jobId' | 'title' | 'model' | 'budget'>,
    budget: Budget,
  ): Promise<ModelCallResult> {
    const { jobId, title } = this.turn;
    const options: ActivityOptions = {
      // A long answer of a slow model, thinking included.
      startToCloseTimeout: '60m',
      retry: {
        initialInterval: '500ms',
        backoffCoefficient: 2,
        maximumInterval: '60s',
        maximumAttempts: this.choice.hasOther(model, Date.now()) ? attemptsBeforeNextModel : attemptsOfLastModel,
      },
      cancellationType: 'TRY_CANCEL',
      summary: [model, title, ...(asked.step === undefined ? [] : [asked.step])].join(': ').slice(0, 200),
    };
    const call = { jobId, title, model, ...asked, budget };
    if (nodeOfModel(model) !== undefined) return callOnNode(call, options);
    const taskQueue = modelTaskQueue(model.split('/')[0]!);
    return proxyActivities<ReturnType<typeof createModelActivities>>({ ...options, taskQueue }).callModel(call);
  }

  /** What a call that was given up may have cost. One that was never scheduled cost nothing. */
  private async spentBy(error: unknown): Promise<Spending> {
    const failure = error instanceof OutOfTime ? error.cause : error;
    if (!(failure instanceof ActivityFailure) || !failure.activityId) return nothingSpent;
    const call = { jobId: this.turn.jobId, activityId: failure.activityId };
    return await CancellationScope.nonCancellable(() => settleModelCall(call));
  }

  /** Goes on with the next model, or throws what ended the call: a wrong request is not mended by asking somebody else. */
  private async goOnAfter(model: string, error: unknown): Promise<void> {
    if (!(error instanceof ActivityFailure) || isCancellation(error) || holdsForAll(error)) throw error;
    if (!this.choice.giveUp(model)) throw error;
    const next = this.choice.pick(Date.now());
    // Another call may have gone on already.
    if (next !== undefined && next !== this.model) await this.goOnWith(next, failureMessage(error));
  }

  private async goOnWith(model: string, why: string): Promise<void> {
    if (model === this.model) return;
    this.choice.current = model;
    await this.turn.note(`${why}; going on with ${model}`);
  }

  private async waitFor(
    model: string,
    { waitMs, isLong, reason }: Extract<ModelCallResult, { kind: 'wait' }>,
  ): Promise<void> {
    const now = Date.now();
    if (!isLong || !this.choice.hasOther(model, now)) return await this.hibernate(waitMs, reason);
    this.choice.limit(model, now + waitMs);
    await this.goOnWith(this.choice.pick(now)!, `${reason} (until ${new Date(now + waitMs).toISOString()})`);
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

/** Whether another model would end the call in the same way. */
function holdsForAll(error: ActivityFailure): boolean {
  const details = error.cause instanceof ApplicationFailure ? error.cause.details?.[0] : undefined;
  return (
    failureCode(error) === 'llm.invalid-request' ||
    (details as { holdsForAll?: boolean } | undefined)?.holdsForAll === true
  );
}

/** By the node-pool that has the node of the model. The fleet's own queue is always served; that of one pool only as long as it lives. */
function callOnNode(call: ModelCallInput, options: ActivityOptions): Promise<ModelCallResult> {
  return onHolder((taskQueue) => {
    const patience: ActivityOptions = taskQueue === fleetTaskQueue ? {} : { scheduleToStartTimeout: '30s' };
    const models = proxyActivities<ReturnType<typeof createNodeModelActivities>>({
      ...options,
      ...patience,
      taskQueue,
    });
    return models.callNodeModel(call);
  });
}
