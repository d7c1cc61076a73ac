import type { createNodeModelActivities } from '../activities/node-models.ts';
import type { LocalModel } from '../contracts/local-model.ts';
import type { NodeModelAsked, NodeModelName, NodeModelPull, NodeModelQuestion } from '../contracts/node-models.ts';
import { proxyActivities } from './activities.ts';
import { onHolder } from './on-holder.ts';

/** A user waits for the answer, and can ask again: nobody is waited for long. */
const modelsOn = (taskQueue: string, maximumAttempts: number) =>
  proxyActivities<ReturnType<typeof createNodeModelActivities>>({
    taskQueue,
    // A large model over a slow line.
    startToCloseTimeout: '24h',
    scheduleToStartTimeout: '30s',
    cancellationType: 'TRY_CANCEL',
    retry: { maximumAttempts, initialInterval: '500ms', maximumInterval: '10s' },
  });

/** Brings a model to a node. */
export async function pullNodeModel(request: NodeModelPull): Promise<LocalModel> {
  return await onHolder((taskQueue) => modelsOn(taskQueue, 5).pullNodeModel(request));
}

export async function removeNodeModel(model: NodeModelName): Promise<void> {
  await onHolder((taskQueue) => modelsOn(taskQueue, 2).removeNodeModel(model));
}

/** Asks a model one thing. */
export async function askNodeModel(question: NodeModelQuestion): Promise<NodeModelAsked> {
  return await onHolder((taskQueue) => modelsOn(taskQueue, 2).askNodeModel(question));
}
