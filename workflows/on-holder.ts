import { ActivityFailure, TimeoutFailure } from '@temporalio/workflow';
import type { Elsewhere } from '../contracts/node-workflow.ts';
import { fleetTaskQueue, poolTaskQueue } from './task-queues.ts';

/** Asks any node-pool, and then the one that it says has the node: that may change once more meanwhile. */
export async function onHolder<T extends object>(ask: (taskQueue: string) => Promise<T | Elsewhere>): Promise<T> {
  let taskQueue = fleetTaskQueue;
  for (;;) {
    try {
      const answer = await ask(taskQueue);
      if (!isElsewhere(answer)) return answer;
      taskQueue = poolTaskQueue(answer.heldBy);
    } catch (error) {
      if (taskQueue === fleetTaskQueue || !isUnheard(error)) throw error;
      // That pool is gone; another one has the node, or will have it.
      taskQueue = fleetTaskQueue;
    }
  }
}

function isElsewhere(answer: object): answer is Elsewhere {
  return 'heldBy' in answer;
}

/** Nobody has taken the task from the queue of the pool, or it died over it. */
export function isUnheard(error: unknown): boolean {
  return error instanceof ActivityFailure && error.cause instanceof TimeoutFailure;
}
