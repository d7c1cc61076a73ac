import type { createNodeActivities } from '../activities/nodes.ts';
import type { NodeRecord, NodeRegistration } from '../contracts/node.ts';
import { proxyActivities } from './activities.ts';
import { fleetTaskQueue } from './task-queues.ts';

const nodes = proxyActivities<ReturnType<typeof createNodeActivities>>({
  taskQueue: fleetTaskQueue,
  // The first contact may upload a Node runtime.
  startToCloseTimeout: '10m',
  scheduleToStartTimeout: '30s',
  // A user waits for the answer: two tries, then say what is wrong.
  retry: { maximumAttempts: 2 },
});

/** Connects to a machine, looks at what it has, and registers it. */
export async function registerNode(registration: NodeRegistration): Promise<NodeRecord> {
  return await nodes.registerNode(registration);
}

/** Detects a node's capabilities again. */
export async function probeNode(name: string): Promise<NodeRecord> {
  return await nodes.probeNode(name);
}

/** Forgets a node; what runs there is ended by the node itself and runs again elsewhere. */
export async function removeNode(name: string): Promise<void> {
  await nodes.removeNode(name);
}
