import {
  allHandlersFinished,
  CancellationScope,
  condition,
  continueAsNew,
  isCancellation,
  setCurrentDetails,
  setHandler,
  workflowInfo,
} from '@temporalio/workflow';
import type { createNodeActivities } from '../activities/nodes.ts';
import type { NodeLifecycleInput } from '../contracts/node-workflow.ts';
import { proxyActivities } from './activities.ts';
import { NodeLife } from './node-life.ts';
import * as messages from './node-messages.ts';
import { onHolder } from './on-holder.ts';
import { failureCode } from './steps.ts';
import { fleetTaskQueue } from './task-queues.ts';

type Activities = ReturnType<typeof createNodeActivities>;

/** Whoever asks waits for the answer; a database that is away for a moment is waited for. */
const { holdNode, releaseNode, removeNode } = proxyActivities<Activities>({
  taskQueue: fleetTaskQueue,
  startToCloseTimeout: '30s',
  retry: { maximumInterval: '5s', maximumAttempts: 10 },
});

const drainOn = (taskQueue: string) =>
  proxyActivities<Activities>({
    taskQueue,
    // As long as what runs may go on, which the activity itself knows.
    startToCloseTimeout: '30d',
    scheduleToStartTimeout: '30s',
    retry: { maximumInterval: '10s' },
    cancellationType: 'TRY_CANCEL',
  });

const examineOn = (taskQueue: string) =>
  proxyActivities<Activities>({
    taskQueue,
    startToCloseTimeout: '5m',
    scheduleToStartTimeout: '30s',
    retry: { maximumAttempts: 3 },
  });

/**
 * Looks after one node as long as it is on record: keeps new steps off it, drains and retires it when a user says so, and examines it at growing
 * intervals while it is in quarantine.
 */
export async function nodeLifecycle({ name, soFar }: NodeLifecycleInput): Promise<void> {
  const life = new NodeLife(soFar);
  let stopDraining = (): void => undefined;
  const giveUpDraining = (): void => {
    life.drain = undefined;
    stopDraining();
  };
  setHandler(messages.nodeLifeQuery, () => ({ ...life.soFar, doing: life.describe() }));
  setHandler(messages.removedSignal, () => {
    life.removed = true;
    giveUpDraining();
  });
  setHandler(messages.quarantinedSignal, ({ firstMs }) => life.quarantine(firstMs, Date.now()));
  setHandler(messages.cordonUpdate, async (reason) => {
    giveUpDraining();
    await holdNode(name, { kind: 'cordoned', reason });
  });
  setHandler(messages.uncordonUpdate, async () => {
    giveUpDraining();
    await holdNode(name, null);
    if (!life.isInQuarantine) return;
    await releaseNode(name);
    life.release(Date.now());
  });
  const startDraining = async (request: Parameters<NodeLife['startDrain']>[0], retires: boolean): Promise<void> => {
    await holdNode(name, { kind: 'draining', reason: request.reason });
    giveUpDraining();
    life.startDrain(request, retires, Date.now());
  };
  setHandler(messages.drainUpdate, (request) => startDraining(request, false));
  setHandler(messages.retireUpdate, (request) => startDraining(request, true));

  const drain = async (): Promise<void> => {
    const { drain: asked } = life;
    if (!asked) return;
    const deadline = new Date(asked.deadline).toISOString();
    const scope = new CancellationScope();
    stopDraining = () => scope.cancel();
    try {
      await scope.run(() => onHolder((taskQueue) => drainOn(taskQueue).drainNode({ name, deadline })));
    } catch (error) {
      // Called off, or asked for anew with another limit.
      if (isCancellation(error)) return;
      throw error;
    } finally {
      stopDraining = () => undefined;
    }
    if (life.drain !== asked) return;
    life.drain = undefined;
    if (asked.retires) {
      life.removed = true;
      await removeNode(name);
    } else {
      await holdNode(name, { kind: 'cordoned', reason: `drained: ${asked.reason}` });
    }
  };

  const examine = async (): Promise<void> => {
    const { passed } = await onHolder((taskQueue) => examineOn(taskQueue).examineNode(name)).catch(() => ({
      passed: false,
    }));
    if (!life.isInQuarantine) return;
    if (passed) life.release(Date.now());
    else life.stay(Date.now());
  };

  const live = async (): Promise<void> => {
    for (;;) {
      setCurrentDetails(`Node **${name}**. ${life.describe()}`);
      const due = life.msUntilDue(Date.now());
      const before = life.soFar.examineAt;
      const isTold = (): boolean => life.removed || life.drain !== undefined || life.soFar.examineAt !== before;
      const told =
        due === undefined ? await condition(isTold).then(() => true) : await condition(isTold, Math.max(1, due));
      if (life.removed) return;
      if (life.drain) await drain();
      else if (!told) await examine();
      if (life.removed) return;
      if (workflowInfo().continueAsNewSuggested && !life.drain) {
        await condition(allHandlersFinished);
        await continueAsNew<typeof nodeLifecycle>({ name, soFar: life.soFar });
      }
    }
  };

  try {
    await live();
  } catch (error) {
    // It was removed behind the back of this workflow.
    if (failureCode(error) !== 'node.not-found') throw error;
    life.removed = true;
  }
  setCurrentDetails(life.describe());
  await condition(allHandlersFinished);
}
