import type { Info } from '@temporalio/activity';
import { CancelledFailure } from '@temporalio/common';
import type { Logger } from 'pino';
import { stepSucceeded } from '../contracts/derived.ts';
import { HelixError } from '../contracts/error.ts';
import type { StepResult, StepSpec } from '../contracts/step.ts';
import type { StepContext, StepInput } from '../contracts/workflow.ts';
import { appendEvents } from '../db/events.ts';
import { listNodes } from '../db/nodes.ts';
import { findStep, type StepIdentity } from '../db/steps.ts';
import { DETACH, type ExecutionOutcome, type FleetNode } from '../fleet/node.ts';
import type { SlotLease } from '../fleet/placement/allocator.ts';
import { stepKey } from '../fleet/placement/step-key.ts';
import { answerFromCache, type CacheDeps } from './cached-steps.ts';
import { executionIdOf } from './execution-id.ts';
import type { NodeEvidence } from './node-evidence.ts';
import { findNode, placeStep, type PlacementDeps } from './step-placement.ts';
import {
  eventOf,
  finishedRecord,
  type KeptResult,
  startedRecord,
  type StepRecord,
  type StepRecorder,
  waitingRecord,
} from './step-records.ts';

export interface StepDeps extends CacheDeps, PlacementDeps {
  evidence: NodeEvidence;
  recorder: StepRecorder;
  logLimitBytes: number;
  logger: Logger;
}

/** Where a step failed in a way that may be the node's own doing, and how. */
interface Suspicion {
  node: string;
  reason: string;
}

/** The steps on the node are to run elsewhere. */
const HANDED_BACK = Symbol('handed back');

/** One attempt of a step: looked up, placed, run on a node, and recorded. */
export class StepRun {
  private readonly deps: StepDeps;
  private readonly context: StepContext;
  private readonly spec: StepSpec;
  private readonly attempt: number;
  private readonly identity: StepIdentity;
  private readonly began = performance.now();
  /** Where it runs, once a node has claimed it. */
  node: string | undefined;

  constructor(
    deps: StepDeps,
    { context, resumed }: Pick<StepInput, 'context' | 'resumed'>,
    spec: StepSpec,
    info: Info,
  ) {
    this.deps = deps;
    this.context = context;
    this.spec = spec;
    this.attempt = (resumed?.attempts ?? 0) + info.attempt;
    const { jobId, taskId, title, phase } = context;
    this.identity = { jobId, taskId, title, phase, executionId: resumed?.executionId ?? executionIdOf(info) };
  }

  async result(signal: AbortSignal): Promise<StepResult> {
    const { database } = this.deps;
    const { executionId } = this.identity;
    const earlier = this.attempt > 1 ? await findStep(database, executionId) : undefined;
    if (earlier?.result) return earlier.result;
    const cached = await this.fromCache();
    if (cached) return cached;
    // The record was written before the command started.
    let lastNode = earlier?.step.node ?? undefined;
    let attachTo = lastNode;
    let suspicion: Suspicion | undefined;
    for (;;) {
      if (attachTo) await findNode(this.deps, attachTo, { executionId, attempts: this.attempt }, signal);
      const lease = await this.place(signal, attachTo, suspicion?.node);
      // What another node printed is no part of what this one will print.
      if (lastNode !== undefined && lastNode !== lease.node) await this.deps.logs.discard(executionId);
      lastNode = lease.node;
      attachTo = undefined;
      const tried = await this.tryOn(lease, signal, suspicion);
      if (tried === undefined) continue;
      if ('end' in tried) return tried;
      suspicion = tried;
    }
  }

  private async fromCache(): Promise<StepResult | undefined> {
    const { identity, attempt, spec } = this;
    if (spec.cache === 'off') return undefined;
    const nodes = await listNodes(this.deps.database);
    const [answer] = await answerFromCache(this.deps, nodes, [{ identity, attempt, spec }]);
    if (!answer) return undefined;
    await this.record(finishedRecord(answer));
    return answer.result;
  }

  /** Waits for a share of a node, and says so when nobody serves the step. */
  private async place(
    signal: AbortSignal,
    attachTo: string | undefined,
    avoid: string | undefined,
  ): Promise<SlotLease> {
    const { executionId } = this.identity;
    const onUnserved = (until: Date): void =>
      void this.byTheWay(() => this.record(waitingRecord(this.identity, this.spec.class, until)));
    const { nodeWaitMs } = this.context;
    return await placeStep(this.deps, {
      executionId,
      spec: this.spec,
      nodeWaitMs,
      signal,
      attachTo,
      avoid,
      onUnserved,
    });
  }

  /**
   * Gives the result, or what speaks for trying another node; undefined when the step does not run on the node that was to have it and
   * cannot begin there.
   */
  private async tryOn(
    lease: SlotLease,
    signal: AbortSignal,
    suspicion: Suspicion | undefined,
  ): Promise<StepResult | Suspicion | undefined> {
    const { roster, evidence } = this.deps;
    const node = roster.get(lease.node);
    let ended = false;
    try {
      if (!node) throw new HelixError('node.lost', `node ${lease.node} was removed before the step could start there`);
      const outcome = await this.runOn(node, lease, signal);
      ended = true;
      if (outcome === undefined) return undefined;
      const reason = suspicion ? undefined : nodesOwnDoing(outcome);
      if (reason !== undefined && this.hasAnother(lease.node)) return await this.doubt(node, reason);
      const result = await this.finish(node, outcome, signal);
      if (suspicion && !nodesOwnDoing(outcome))
        await this.byTheWay(() => evidence.failedAlone(suspicion.node, this.spec, suspicion.reason)); // prettier-ignore
      else await this.byTheWay(() => evidence.ended(node, this.spec, result));
      return result;
    } catch (error) {
      if (error === HANDED_BACK) {
        ended = true;
        throw await this.handBack(node!);
      }
      if (signal.aborted) throw error;
      // A node that was given up on purpose is not to blame, nor for what came after the step had ended on it.
      if (!ended && node && roster.get(lease.node) === node)
        await this.byTheWay(() => evidence.broke(lease.node, this.spec, error));
      if (node && !suspicion && isDiskFull(error) && this.hasAnother(lease.node)) {
        ended = true;
        return await this.doubt(node, (error as Error).message);
      }
      await this.byTheWay(() => this.sayInterrupted(lease.node, error));
      throw error;
    } finally {
      lease.release(ended);
    }
  }

  /** Whether another node of this pool takes such steps. */
  private hasAnother(node: string): boolean {
    return this.deps.allocator.hasAnother(node, this.spec.class, this.spec.resources);
  }

  /** Forgets what the node made of the step, which is to be tried on another one. */
  private async doubt(node: FleetNode, reason: string): Promise<Suspicion> {
    await node.release(this.identity.executionId).catch(() => undefined);
    await this.byTheWay(() => this.sayInterrupted(node.name, new Error(`${reason}; another node is asked`)));
    return { node: node.name, reason };
  }

  private async handBack(node: FleetNode): Promise<HelixError> {
    const { executionId } = this.identity;
    await node.release(executionId).catch(() => undefined);
    const error = new HelixError('node.lost', `node ${node.name} is drained and hands back what still runs there`);
    await this.byTheWay(() => this.sayInterrupted(node.name, error));
    return error;
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

  private async runOn(node: FleetNode, lease: SlotLease, signal: AbortSignal): Promise<ExecutionOutcome | undefined> {
    if (!lease.attachOnly) {
      const waitedMs = Math.round(performance.now() - this.began);
      // Recorded before the command starts, so that whoever comes after a crash knows where to look for it.
      const start = { ...this.identity, node: node.name, attempt: this.attempt };
      await this.record(startedRecord(start, waitedMs, lease.why));
    }
    try {
      return await this.execute(node, lease, signal);
    } catch (error) {
      if (lease.attachOnly && error instanceof HelixError && error.code === 'step.not-found') return undefined;
      throw error;
    }
  }

  private async finish(node: FleetNode, outcome: ExecutionOutcome, signal: AbortSignal): Promise<StepResult> {
    // Nobody wanted the result for a while and the node ended the command, or was started anew; whoever asks now still wants it, and gets it from another run.
    if (outcome.end === 'lease-expired') {
      await node.release(this.identity.executionId);
      await this.deps.logs.discard(this.identity.executionId);
      throw new HelixError(
        'node.lost',
        `node ${node.name} was started anew, or had not heard from the controller for too long, and ended ${this.identity.taskId}`,
      );
    }
    const result = await this.resultOf(node, outcome);
    const keep = this.kept(node, result);
    await this.record(finishedRecord({ identity: this.identity, attempt: this.attempt, result }, keep));
    await node.release(this.identity.executionId);
    if (outcome.end === 'cancelled') throw signal.reason;
    return result;
  }

  private async execute(node: FleetNode, lease: SlotLease, signal: AbortSignal): Promise<ExecutionOutcome> {
    const { logs, logLimitBytes, roster, warmth } = this.deps;
    const { executionId } = this.identity;
    const control = new AbortController();
    const handBack = roster.handBackSignal(node.name);
    // Only a wish to cancel ends the command. A shutdown, or a server that no longer knows this attempt, lets go: the next attempt
    // re-attaches, and if there is none, the lease ends the command.
    const onAbort = (): void => control.abort(isWish(signal.reason) ? signal.reason : DETACH);
    const onHandBack = (): void => control.abort(HANDED_BACK);
    if (signal.aborted) onAbort();
    signal.addEventListener('abort', onAbort, { once: true });
    handBack?.addEventListener('abort', onHandBack, { once: true });
    const writer = logs.openWriter(executionId);
    try {
      const outcome = await node.execute({
        executionId,
        spec: this.spec,
        logOffset: await logs.size(executionId),
        logLimitBytes,
        onLog: (chunk, offset) => writer.write(chunk, offset),
        onStarted: () => (this.node = node.name),
        signal: control.signal,
        attachOnly: lease.attachOnly,
      });
      warmth.note(node.name, this.spec);
      // It may have ended by itself in the same moment; then that is what counts.
      if (outcome.end === 'cancelled' && control.signal.reason === HANDED_BACK) throw HANDED_BACK;
      return outcome;
    } catch (error) {
      if (error === DETACH) throw signal.reason;
      throw error;
    } finally {
      signal.removeEventListener('abort', onAbort);
      handBack?.removeEventListener('abort', onHandBack);
      await writer.close();
    }
  }

  private async resultOf(node: FleetNode, outcome: ExecutionOutcome): Promise<StepResult> {
    const { blobs, logs } = this.deps;
    const { executionId } = this.identity;
    const isEmpty = (await logs.size(executionId)) === 0;
    return {
      end: outcome.end,
      exitCode: outcome.exitCode,
      snapshot: outcome.snapshot,
      ...(outcome.outputs ? { outputs: outcome.outputs } : {}),
      log: isEmpty ? await blobs.put('') : await blobs.adopt(logs.path(executionId)),
      logBytes: outcome.logBytes,
      node: node.name,
      cached: false,
      durationMs: outcome.durationMs,
    };
  }

  /** What the cache is to answer equal steps with from now on. */
  private kept(node: FleetNode, result: StepResult): KeptResult | undefined {
    const { cache, project } = this.spec;
    const isKept = result.end === 'exited' && (stepSucceeded(result) ? cache !== 'off' : cache === 'all');
    return isKept ? { key: stepKey(this.spec, node.facts), project, result } : undefined;
  }

  private async record(record: StepRecord): Promise<void> {
    await this.deps.recorder.record(this.identity.jobId, record);
  }

  private async sayInterrupted(node: string, error: unknown): Promise<void> {
    const reason = error instanceof Error ? error.message : String(error);
    const data = { type: 'step.interrupted', ...this.identity, node, reason } as const;
    const event = eventOf(this.identity, `interrupted:${this.attempt}:${node}`, data);
    await appendEvents(this.deps.database, this.identity.jobId, [event]);
  }
}

/** Why a failure may be the machine's and not the step's: what the step needs is not there or does not run. */
function nodesOwnDoing({ end, exitCode }: ExecutionOutcome): string | undefined {
  if (end === 'install-failed') return `its dependencies could not be installed (exit code ${exitCode})`;
  if (end !== 'exited') return undefined;
  if (exitCode === 127) return 'a command was not found (exit code 127)';
  return exitCode === 126 ? 'a command could not be run (exit code 126)' : undefined;
}

function isDiskFull(error: unknown): boolean {
  return error instanceof HelixError && error.code === 'node.disk-full';
}

function isWish(reason: unknown): boolean {
  return reason instanceof CancelledFailure && reason.message === 'CANCELLED';
}
