import { Worker } from '@temporalio/worker';
import { createSourceActivities } from '../activities/sources.ts';
import { sourceTaskQueue } from '../workflows/task-queues.ts';
import type { Foundation } from './support/foundation.ts';
import { type Role, runRoles, workerRole } from './support/role.ts';

/** Calls to the outside: for now to the repositories that sources come from and results go to. */
export async function startIntegrations(foundation: Foundation): Promise<Role> {
  const { config, connection, blobs, stores } = foundation;
  const worker = await Worker.create({
    connection,
    namespace: config.temporal.namespace,
    taskQueue: sourceTaskQueue,
    activities: createSourceActivities({ stores, blobs }),
    maxConcurrentActivityTaskExecutions: 10,
    maxHeartbeatThrottleInterval: '500ms',
    shutdownGraceTime: '5s',
  });
  return workerRole(worker);
}

if (import.meta.main) await runRoles('integrations', [startIntegrations]);
