import { getExternalWorkflowHandle } from '@temporalio/workflow';
import type { createNodeActivities } from '../activities/nodes.ts';
import { nodeWorkflowId } from '../contracts/derived.ts';
import type { NodeRecord, NodeRegistration, NodeRemoval, RemovedNode } from '../contracts/node.ts';
import { proxyActivities } from './activities.ts';
import { removedSignal } from './node-messages.ts';
import { onHolder } from './on-holder.ts';
import { fleetTaskQueue } from './task-queues.ts';

type Activities = ReturnType<typeof createNodeActivities>;

const nodesOn = (taskQueue: string) =>
  proxyActivities<Activities>({
    taskQueue,
    // The first contact may upload a Node runtime.
    startToCloseTimeout: '10m',
    scheduleToStartTimeout: '30s',
    // A user waits for the answer: two tries, then say what is wrong.
    retry: { maximumAttempts: 2 },
  });

/** Connects to a machine, looks at what it has, and registers it. */
export async function registerNode(registration: NodeRegistration): Promise<NodeRecord> {
  return await onHolder((taskQueue) => nodesOn(taskQueue).registerNode(registration));
}

/** Detects a node's capabilities again. */
export async function probeNode(name: string): Promise<NodeRecord> {
  return await onHolder((taskQueue) => nodesOn(taskQueue).probeNode(name));
}

/** Forgets a node; what runs there is ended by the node itself and runs again elsewhere. A purge removes Helix from the machine too. */
export async function removeNode(name: string, { purge }: NodeRemoval): Promise<RemovedNode> {
  // Before it is forgotten: nobody would know the way to it afterwards.
  const removed = purge ? await onHolder((taskQueue) => nodesOn(taskQueue).purgeNode(name)) : { left: [] };
  await nodesOn(fleetTaskQueue).removeNode(name);
  // Of a node that nobody ever told anything there may be none.
  await getExternalWorkflowHandle(nodeWorkflowId(name))
    .signal(removedSignal)
    .catch(() => undefined);
  return removed;
}
