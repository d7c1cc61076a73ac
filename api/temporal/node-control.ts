import { randomBytes } from 'node:crypto';
import type { Client } from '@temporalio/client';
import type { probeNode, registerNode, removeNode } from '../../workflows/index.ts';
import { orchestratorTaskQueue } from '../../workflows/task-queues.ts';
import type { NodeControl } from '../deps.ts';
import { fromTemporal } from './failures.ts';

/** Changes to the fleet, carried out by the node-pool that holds the connections. */
export function createNodeControl(client: Client): NodeControl {
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
    remove: (name) =>
      translated(name, workflow.execute<typeof removeNode>('removeNode', { ...options('remove', name), args: [name] })),
  };
}
