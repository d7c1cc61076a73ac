import { Context, type Info } from '@temporalio/activity';
import { CancelledFailure } from '@temporalio/common';
import type { Logger } from 'pino';
import type { BlobStore } from '../blobs/blob-store.ts';
import { HelixError } from '../contracts/error.ts';
import type { JobEventData } from '../contracts/event.ts';
import { type Layer, layerSchema, type StepResult, type StepSpec } from '../contracts/step.ts';
import { stepSucceeded } from '../contracts/derived.ts';
import type { StepContext, StepInput } from '../contracts/workflow.ts';
import { appendEvents } from '../db/events.ts';
import { storeStep } from '../db/step-cache.ts';
import { findStep, setWaiting, startStep, type StepIdentity } from '../db/steps.ts';
import { explainUnserved } from '../fleet/capability.ts';
import { DETACH, type ExecutionOutcome, type FleetNode } from '../fleet/node.ts';
import type { Allocator, SlotLease } from '../fleet/placement/allocator.ts';
import type { Roster } from '../fleet/placement/roster.ts';
import { stepKey } from '../fleet/placement/step-key.ts';
import { answerFromCache, type CacheDeps } from './cached-steps.ts';
import { activityGroup, heartbeatWith } from './activity-group.ts';
import { executionIdOf } from './execution-id.ts';
import { recordFinished } from './step-records.ts';

export interface StepDeps extends CacheDeps {
  allocator: Allocator;
  roster: Roster;
  logLimitBytes: number;
  logger: Logger;
}

interface HeartbeatDetails {
  /** The node that has claimed the execution. */
  node?: string;
}

/** The step: looked up, placed, run on a node, and recorded. */
export function createStepActivities(deps: StepDeps) {
  return activityGroup({
    /** Runs a step, or returns what an earlier attempt or an equal step came to. Re-attaches to an execution that is under way. */
    async runStep({ context, order }: StepInput): Promise<StepResult> {
      const activity = Context.current();
      const { info } = activity;
      const details: HeartbeatDetails = { ...(info.heartbeatDetails as HeartbeatDetails | undefined) };
      heartbeatWith(() => details);
      const claimed = (node: string): void => {
        details.node = node;
        activity.heartbeat(details);
      };
      const spec = { ...order, layers: await Promise.all(order.layers.map((hash) => loadLayer(deps.blobs, hash))) };
      const run = new StepRun(deps, context, spec, info, details.node, claimed);
      return await run.result(activity.cancellationSignal);
    },
  });
}

class StepRun {
  private readonly deps: StepDeps;
  private readonly context: StepContext;
  private readonly spec: StepSpec;
  private readonly attempt: number;
  private readonly earlierNode: string | undefined;
  private readonly onClaimed: (node: string) => void;
  private readonly identity: StepIdentity;

  constructor(
    deps: StepDeps,
    context: StepContext,
    spec: StepSpec,
    info: Info,
    earlierNode: string | undefined,
    onClaimed: (node: string) => void,
  ) {
    this.deps = deps;
    this.context = context;
    this.spec = spec;
    this.attempt = info.attempt;
    this.earlierNode = earlierNode;
    this.onClaimed = onClaimed;
    const { jobId, taskId, title, phase } = context;
    this.identity = { jobId, taskId, title, phase, executionId: executionIdOf(info) };
  }

  async result(signal: AbortSignal): Promise<StepResult> {
    const { database } = this.deps;
    const { executionId } = this.identity;
    const earlier = this.attempt > 1 ? await findStep(database, executionId) : undefined;
    if (earlier?.result) return earlier.result;
    const cached = await this.fromCache();
    if (cached) return cached;
    // A heartbeat that never arrived must not lose the node: the record was written before the command started.
    const lease = await this.place(signal, this.earlierNode ?? earlier?.step.node ?? undefined);
    try {
      return await this.runOn(lease.node, signal);
    } catch (error) {
      if (!signal.aborted) await this.byTheWay(() => this.sayInterrupted(lease.node, error));
      throw error;
    } finally {
      lease.release();
    }
  }

  private async fromCache(): Promise<StepResult | undefined> {
    const { identity, attempt, spec } = this;
    const [answer] = await answerFromCache(this.deps, this.deps.roster.records(), [{ identity, attempt, spec }]);
    if (!answer) return undefined;
    await this.recordFinished(answer.result);
    return answer.result;
  }

  /** Waits for a slot; says so when nobody serves the class, and gives up after the limit. */
  private async place(signal: AbortSignal, attachTo: string | undefined): Promise<SlotLease> {
    const { allocator, roster, database } = this.deps;
    const { class: className } = this.spec;
    const waitMs = this.context.nodeWaitMs;
    const limit = new AbortController();
    let timer: NodeJS.Timeout | undefined;
    const onUnserved = (): void => {
      const deadline = new Date(Date.now() + waitMs).toISOString();
      void this.byTheWay(() => setWaiting(database, this.identity));
      void this.byTheWay(() =>
        this.say('waiting', { type: 'step.waiting', ...this.identity, class: className, deadline }),
      );
      timer = setTimeout(() => {
        if (allocator.serves(className)) return;
        limit.abort(
          new HelixError(
            'class.unserved',
            `${explainUnserved(className, roster.records())}; waited ${Math.round(waitMs / 1000)} s`,
          ),
        );
      }, waitMs);
    };
    try {
      return await allocator.acquire(className, {
        signal: AbortSignal.any([signal, limit.signal]),
        attachTo,
        onUnserved,
      });
    } finally {
      clearTimeout(timer);
    }
  }

  /** What is told by the way must not fail the step when the database is away for a moment. */
  private async byTheWay(write: () => Promise<unknown>): Promise<void> {
    try {
      await write();
    } catch (error) {
      this.deps.logger.warn(
        { err: error, executionId: this.identity.executionId },
        'could not record what a step is at',
      );
    }
  }

  private async runOn(nodeName: string, signal: AbortSignal): Promise<StepResult> {
    const { database, roster } = this.deps;
    const node = roster.get(nodeName);
    if (!node) throw new HelixError('node.lost', `node ${nodeName} was removed before the step could start there`);
    // Recorded before the command starts, so that whoever comes after a crash knows where to look for it.
    await startStep(database, { ...this.identity, node: nodeName, attempt: this.attempt });
    await this.say(`started:${this.attempt}`, {
      type: 'step.started',
      ...this.identity,
      node: nodeName,
      attempt: this.attempt,
    });
    const outcome = await this.execute(node, signal);
    const result = await this.keep(node, outcome);
    await this.recordFinished(result);
    await node.release(this.identity.executionId);
    if (outcome.end === 'cancelled') throw signal.reason;
    // Nobody wanted the result for a while and the node ended the command; whoever asks now still wants it.
    if (outcome.end === 'lease-expired')
      throw new HelixError(
        'node.lost',
        `node ${nodeName} ended ${this.identity.taskId} because the controller was away for too long`,
      );
    return result;
  }

  private async execute(node: FleetNode, signal: AbortSignal): Promise<ExecutionOutcome> {
    const { logs, logLimitBytes } = this.deps;
    const { executionId } = this.identity;
    const control = new AbortController();
    // Only a wish to cancel ends the command. A shutdown, or a server that no longer knows this attempt, lets go: the next attempt
    // re-attaches, and if there is none, the lease ends the command.
    const onAbort = (): void => control.abort(isWish(signal.reason) ? signal.reason : DETACH);
    if (signal.aborted) onAbort();
    signal.addEventListener('abort', onAbort, { once: true });
    const writer = await logs.openWriter(executionId);
    try {
      return await node.execute({
        executionId,
        spec: this.spec,
        logOffset: await logs.size(executionId),
        logLimitBytes,
        onLog: (chunk, offset) => writer.write(chunk, offset),
        onStarted: () => this.onClaimed(node.name),
        signal: control.signal,
      });
    } catch (error) {
      if (error === DETACH) throw signal.reason;
      throw error;
    } finally {
      signal.removeEventListener('abort', onAbort);
      await writer.close();
    }
  }

  private async keep(node: FleetNode, outcome: ExecutionOutcome): Promise<StepResult> {
    const { blobs, logs, database } = this.deps;
    const { executionId } = this.identity;
    if ((await logs.size(executionId)) === 0) await logs.copyFrom(executionId, Buffer.alloc(0));
    const result: StepResult = {
      end: outcome.end,
      exitCode: outcome.exitCode,
      snapshot: outcome.snapshot,
      ...(outcome.outputs ? { outputs: outcome.outputs } : {}),
      log: await blobs.adopt(logs.path(executionId)),
      logBytes: outcome.logBytes,
      node: node.name,
      cached: false,
      durationMs: outcome.durationMs,
    };
    const keepable =
      result.end === 'exited' && (stepSucceeded(result) ? this.spec.cache !== 'off' : this.spec.cache === 'all');
    if (keepable) await storeStep(database, stepKey(this.spec, node.facts), this.spec.project, result);
    return result;
  }

  private async recordFinished(result: StepResult): Promise<void> {
    const { identity, attempt } = this;
    await recordFinished(this.deps.database, identity.jobId, [{ identity, attempt, result }]);
  }

  private async sayInterrupted(node: string, error: unknown): Promise<void> {
    const reason = error instanceof Error ? error.message : String(error);
    await this.say(`interrupted:${this.attempt}`, { type: 'step.interrupted', ...this.identity, node, reason });
  }

  private async say(key: string, data: JobEventData): Promise<void> {
    const { jobId, executionId } = this.identity;
    await appendEvents(this.deps.database, jobId, [
      { key: `${executionId}:${key}`, at: new Date().toISOString(), data },
    ]);
  }
}

async function loadLayer(blobs: BlobStore, hash: string): Promise<Layer> {
  const content = await blobs.get(hash);
  if (!content) throw new HelixError('internal', `the layer ${hash} is not in the blob store any more`);
  return layerSchema.parse(JSON.parse(content.toString()));
}

function isWish(reason: unknown): boolean {
  return reason instanceof CancelledFailure && reason.message === 'CANCELLED';
}
