import { defineQuery, defineSignal, defineUpdate } from '@temporalio/workflow';
import type { DrainRequest, NodeLifeState, NodeQuarantined } from '../contracts/node-workflow.ts';

// What a node's workflow can be told and asked.

/** Starts nothing more on the node; the argument says why. */
export const cordonUpdate = defineUpdate<void, [string]>('cordon');
/** Takes new steps again, out of quarantine too. */
export const uncordonUpdate = defineUpdate<void>('uncordon');
/** Starts nothing more, and hands back what still runs after a while. */
export const drainUpdate = defineUpdate<void, [DrainRequest]>('drain');
/** Drains and forgets the node. */
export const retireUpdate = defineUpdate<void, [DrainRequest]>('retire');
/** The node was put into quarantine. */
export const quarantinedSignal = defineSignal<[NodeQuarantined]>('quarantined');
/** The node is on record no more. */
export const removedSignal = defineSignal('removed');
export const nodeLifeQuery = defineQuery<NodeLifeState & { doing: string }>('nodeLife');
