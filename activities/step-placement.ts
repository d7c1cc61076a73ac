import { setTimeout as sleep } from 'node:timers/promises';
import { ApplicationFailure } from '@temporalio/common';
import { HelixError } from '../contracts/error.ts';
import type { StepSpec } from '../contracts/step.ts';
import type { StepMoved } from '../contracts/workflow.ts';
import type { Database } from '../db/database.ts';
import { holderOf } from '../db/node-pools.ts';
import { listNodes } from '../db/nodes.ts';
import { explainUnserved } from '../fleet/capability.ts';
import { type Allocator, ELSEWHERE, type SlotLease } from '../fleet/placement/allocator.ts';
import type { Roster } from '../fleet/placement/roster.ts';
import type { Warmth } from '../fleet/placement/warmth.ts';

export interface PlacementDeps {
  database: Database;
  /** Id of this node-pool. */
  pool: string;
  allocator: Allocator;
  roster: Roster;
  warmth: Warmth;
}

export interface PlacementWish {
  executionId: string;
  spec: StepSpec;
  /** How long it may wait for a node when nobody serves its class. */
  nodeWaitMs: number;
  signal: AbortSignal;
  /** Where it may run already. */
  attachTo?: string | undefined;
  avoid?: string | undefined;
  /** Nobody serves it; called once at most. */
  onUnserved(deadline: Date): void;
}

/** A node whose pool died is held by another one after 8 s at most; then it has to be connected to. */
const holderPatienceMs = 12_000;

/**
 * Waits for a share of a node; gives up after the limit when nobody serves the step. Throws `class.unserved`, the signal's reason, or
 * an error that sends the task back to its queue.
 */
export async function placeStep(deps: PlacementDeps, wish: PlacementWish): Promise<SlotLease> {
  const { allocator, warmth } = deps;
  const { spec, executionId, signal, attachTo, avoid, nodeWaitMs } = wish;
  const limit = new AbortController();
  let timer: NodeJS.Timeout | undefined;
  const onUnserved = (): void => {
    wish.onUnserved(new Date(Date.now() + nodeWaitMs));
    timer = setTimeout(() => {
      if (allocator.serves(spec.class, spec.resources)) return;
      void explain(deps, spec, nodeWaitMs).then((error) => limit.abort(error), (error: Error) => limit.abort(error)); // prettier-ignore
    }, nodeWaitMs);
  };
  try {
    return await allocator.acquire(spec.class, {
      executionId,
      resources: spec.resources,
      signal: AbortSignal.any([signal, limit.signal]),
      attachTo,
      avoid,
      warmth: (node) => warmth.of(node, spec),
      onUnserved,
    });
  } catch (error) {
    if (error !== ELSEWHERE) throw error;
    throw ApplicationFailure.create({ message: ELSEWHERE.message, type: 'node.elsewhere', nextRetryDelay: '200ms' });
  } finally {
    clearTimeout(timer);
  }
}

/**
 * Waits until it is known who holds the node on which the step may run already. Throws what tells the workflow which pool to ask, when
 * that is another one.
 */
export async function findNode(
  { database, pool, roster }: PlacementDeps,
  node: string,
  moved: Omit<StepMoved, 'pool'>,
  signal: AbortSignal,
): Promise<void> {
  const patience = performance.now() + holderPatienceMs;
  while (!roster.get(node) && performance.now() < patience) {
    const holder = await holderOf(database, node);
    // Removed: it is not to be found again.
    if (holder === undefined) return;
    if (holder !== null && holder !== pool) {
      const details: StepMoved = { ...moved, pool: holder };
      throw ApplicationFailure.create({
        message: `the step runs on ${node}, which another node-pool holds`,
        type: 'step.moved',
        nonRetryable: true,
        details: [details],
      });
    }
    await sleep(200, undefined, { signal });
  }
}

async function explain({ database }: PlacementDeps, spec: StepSpec, waitedMs: number): Promise<HelixError> {
  const reason = explainUnserved(spec.class, await listNodes(database), spec.resources);
  return new HelixError('class.unserved', `${reason}; waited ${Math.round(waitedMs / 1000)} s`);
}
