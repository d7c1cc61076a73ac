import { Worker } from '@temporalio/worker';
import { createAgentActivities } from '../activities/agent.ts';
import { createAnalysisActivities } from '../activities/analysis.ts';
import { createMergingActivities } from '../activities/merging.ts';
import { createPreparationActivities } from '../activities/preparation.ts';
import { createRecordActivities } from '../activities/records.ts';
import { createReportActivities } from '../activities/reports.ts';
import { createToolRegistry } from '../agent/tools/registry.ts';
import { createSpendingActivities } from '../activities/spending.ts';
import { createSymbolStore } from '../activities/symbol-store.ts';
import { temporalConnection } from '../config/temporal-profile.ts';
import { registerSearchAttributes } from '../infra/temporal/search-attributes.ts';
import { orchestratorTaskQueue } from '../workflows/task-queues.ts';
import type { Foundation } from './support/foundation.ts';
import { type Role, runRoles, workerRole } from './support/role.ts';
import { workflowBundle } from './support/workflow-bundle.ts';

/** Workflows, and the short activities that read snapshots and write projections. `bundle` is the path of other workflows than ours. */
export async function startOrchestrator(foundation: Foundation, bundle?: string): Promise<Role> {
  const { config, connection, database, blobs, logs, stores, webUrl } = foundation;
  const { namespace } = config.temporal;
  await registerSearchAttributes(temporalConnection(config) ?? {}, namespace);
  const worker = await Worker.create({
    connection,
    namespace,
    taskQueue: orchestratorTaskQueue,
    workflowBundle: { codePath: bundle ?? (await workflowBundle(foundation.path('cache'))) },
    activities: {
      ...createRecordActivities({ database, webUrl }),
      ...createAnalysisActivities({ stores, blobs, database }),
      ...createPreparationActivities({ database, blobs, logs, stores }),
      ...createAgentActivities({
        stores,
        blobs,
        database,
        tools: createToolRegistry(),
        symbols: (project) => createSymbolStore(foundation.path('cache', 'symbols', project)),
      }),
      ...createReportActivities({ stores, blobs, database }),
      ...createMergingActivities({ stores }),
      ...createSpendingActivities({ database }),
    },
    // A workflow that waits for an approval costs memory only while it is cached; it is replayed when it goes on.
    maxCachedWorkflows: 200,
    maxHeartbeatThrottleInterval: '2s',
    shutdownGraceTime: '5s',
  });
  return workerRole(worker);
}

if (import.meta.main) await runRoles('orchestrator', [startOrchestrator]);
