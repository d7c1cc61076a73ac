import { Worker } from '@temporalio/worker';
import { createModelActivities } from '../activities/models.ts';
import { createPageActivities } from '../activities/pages.ts';
import { createSourceActivities } from '../activities/sources.ts';
import { createToolRegistry } from '../agent/tools/registry.ts';
import type { Config } from '../config/schema.ts';
import { FileTokenStore } from '../llm/auth/file-token-store.ts';
import { loginProviders } from '../llm/login.ts';
import { ProviderPool } from '../llm/provider-pool.ts';
import { modelTaskQueue, sourceTaskQueue } from '../workflows/task-queues.ts';
import type { Foundation } from './support/foundation.ts';
import { type Role, runRoles, workerRole } from './support/role.ts';

/** Calls to the outside: the repositories that sources come from and results go to, pages, and models, each provider on a task queue of its own. */
export async function startIntegrations(foundation: Foundation): Promise<Role> {
  const { config, connection, database, blobs, logs, stores } = foundation;
  const pool = new ProviderPool(config.llm, new FileTokenStore(foundation.path('tokens')), config.home);
  const common = { connection, namespace: config.temporal.namespace, shutdownGraceTime: '5s' } as const;
  // Whoever logs in or pulls a model later is served too, without a restart: tokens are read from the store with each call.
  const queued = new Set([...(await pool.configured()), ...loginProviders, 'llamacpp']);
  const workers = await Promise.all([
    Worker.create({
      ...common,
      taskQueue: sourceTaskQueue,
      activities: { ...createSourceActivities({ stores, blobs }), ...createPageActivities() },
      maxConcurrentActivityTaskExecutions: 10,
      maxHeartbeatThrottleInterval: '500ms',
    }),
    ...[...queued].map((provider) =>
      Worker.create({
        ...common,
        taskQueue: modelTaskQueue(provider),
        activities: createModelActivities({
          pool,
          database,
          blobs,
          logs,
          tools: createToolRegistry(),
          fallbackAfterMs: config.llm.fallbackAfterMs,
        }),
        maxConcurrentActivityTaskExecutions: 50,
        maxHeartbeatThrottleInterval: '500ms',
        ...callsPerSecond(config.llm, provider),
      }),
    ),
  ]);
  const roles = workers.map(workerRole);
  return {
    ended: endOf(roles, pool),
    stop: () => roles.forEach((role) => role.stop()),
  };
}

async function endOf(roles: readonly Role[], pool: ProviderPool): Promise<void> {
  try {
    await Promise.all(roles.map((role) => role.ended));
  } finally {
    await pool.close();
  }
}

/** The server hands out no more calls than the provider takes, however many processes there are. */
function callsPerSecond(config: Config['llm'], provider: string): { maxTaskQueueActivitiesPerSecond?: number } {
  const { requestsPerMinute } = config[provider as keyof Config['llm']] as Config['llm']['anthropic'];
  return requestsPerMinute === undefined ? {} : { maxTaskQueueActivitiesPerSecond: requestsPerMinute / 60 };
}

if (import.meta.main) await runRoles('integrations', [startIntegrations]);
