import { randomBytes } from 'node:crypto';
import { type Client, WithStartWorkflowOperation } from '@temporalio/client';
import type { UpdateDefinition } from '@temporalio/common';
import { nodeWorkflowId } from '../../contracts/derived.ts';
import { HelixError } from '../../contracts/error.ts';
import type { Database } from '../../db/database.ts';
import { getNode } from '../../db/nodes.ts';
import type { nodeLifecycle, probeNode, registerNode, removeNode } from '../../workflows/index.ts';
import * as messages from '../../workflows/node-messages.ts';
import { orchestratorTaskQueue } from '../../workflows/task-queues.ts';
import type { NodeControl } from '../deps.ts';
import { fromTemporal, untilProcessed } from './failures.ts';

/** Changes to the fleet, carried out by the node-pool that holds the connections. */
export function createNodeControl(client: Client, database: Database): NodeControl {
  const options = (verb: string, name: string) => ({
    workflowId: `node-${name}/${verb}-${randomBytes(4).toString('hex')}`,
    taskQueue: orchestratorTaskQueue,
    staticSummary: `${verb} node ${name}`,
  });
  const translated = async <T>(name: string, result: Promise<T>): Promise<T> => {
    try {
      return await result;
    } catch (error) {
      throw fromTemporal(error, `node ${name}`);
    }
  };
  const { workflow } = client;
  /** Tells the node's workflow, and starts it where there is none. */
  const tell = async <Args extends unknown[]>(
    name: string,
    update: UpdateDefinition<void, Args>,
    args: Args,
  ): Promise<void> => {
    if (!(await getNode(database, name)))
      throw new HelixError('node.not-found', `there is no node named ${name}: "helix nodes" lists them`);
    const send = () =>
      workflow.executeUpdateWithStart(update, {
        args,
        startWorkflowOperation: new WithStartWorkflowOperation<typeof nodeLifecycle>('nodeLifecycle', {
          workflowId: nodeWorkflowId(name),
          taskQueue: orchestratorTaskQueue,
          args: [{ name }],
          workflowIdConflictPolicy: 'USE_EXISTING',
          staticSummary: `node ${name}`,
          searchAttributes: { HelixNode: [name] },
        }),
      });
    await translated(name, untilProcessed(send));
  };
  return {
    add: (registration) =>
      translated(
        registration.name,
        workflow.execute<typeof registerNode>('registerNode', {
          ...options('register', registration.name),
          args: [registration],
        }),
      ),
    probe: (name) =>
      translated(name, workflow.execute<typeof probeNode>('probeNode', { ...options('probe', name), args: [name] })),
    remove: (name, removal) =>
      translated(
        name,
        workflow.execute<typeof removeNode>('removeNode', { ...options('remove', name), args: [name, removal] }),
      ),
    cordon: (name, reason) => tell(name, messages.cordonUpdate, [reason]),
    uncordon: (name) => tell(name, messages.uncordonUpdate, []),
    drain: (name, request) => tell(name, messages.drainUpdate, [request]),
    retire: (name, request) => tell(name, messages.retireUpdate, [request]),
  };
}
