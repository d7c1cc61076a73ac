import { Client } from '@temporalio/client';
import { createNodeTokens } from '../api/node-tokens.ts';
import { createApi } from '../api/app.ts';
import { serveApi } from '../api/server.ts';
import { createChatControl } from '../api/temporal/chat-control.ts';
import { createJobControl } from '../api/temporal/job-control.ts';
import { createNodeControl } from '../api/temporal/node-control.ts';
import { openCircuits } from '../db/llm-providers.ts';
import { NodeModelControl } from '../api/temporal/node-model-control.ts';
import { listNodeModels } from '../db/node-models.ts';
import { listNodes } from '../db/nodes.ts';
import { controllerKeyFile } from '../fleet/join/controller-key.ts';
import { FileTokenStore } from '../llm/auth/file-token-store.ts';
import { createLocalModels } from '../llm/local/create.ts';
import { FleetModels } from '../llm/local/fleet-models.ts';
import { ModelService } from '../llm/model-service.ts';
import { ProviderPool } from '../llm/provider-pool.ts';
import { type Role, runRoles } from './support/role.ts';
import type { Foundation } from './support/foundation.ts';

/** REST and event streams. Polls no task queue. */
export async function startApi(foundation: Foundation): Promise<Role> {
  const { config, connection, database, blobs, logs, logger, webUrl } = foundation;
  const client = new Client({ connection, namespace: config.temporal.namespace });
  const { timeoutMs: stepTimeoutMs, nodeWaitMs } = config.step;
  const remote = new NodeModelControl(client, blobs, logs);
  const localModels = new FleetModels({
    local: createLocalModels(config),
    nodes: () => listNodes(database),
    placed: () => listNodeModels(database),
    remote,
    contextTokens: config.llm.llamacpp.contextTokens,
  });
  const models = new ModelService(
    new ProviderPool(config.llm, new FileTokenStore(foundation.path('tokens')), config.home),
    config.llm,
    () => openCircuits(database),
    {
      nodeModels: () => localModels.nodeModels(),
      placesOf: (name) => localModels.placesOf(name),
      generateStream: (request, signal) => remote.generateStream(request, signal),
    },
  );
  const api = createApi({
    database,
    jobs: createJobControl({
      client,
      database,
      webUrl,
      defaults: {
        stepTimeoutMs,
        nodeWaitMs,
        reasoning: { strategy: config.llm.reasoning, limits: config.llm.reasoningLimits },
        parallelAgents: config.llm.parallelAgents,
      },
      chooseModels: (wish, fallback, needs) => models.choose(wish, fallback, needs),
    }),
    chats: createChatControl({
      client,
      database,
      webUrl,
      chooseModels: (wish, fallback, needs) => models.choose(wish, fallback, needs),
    }),
    models,
    localModels,
    nodes: createNodeControl(client, database),
    nodeTokens: createNodeTokens(database, {
      keyFile: foundation.path(controllerKeyFile),
      cacheDir: foundation.path('cache'),
    }),
    readBlob: (hash) => blobs.get(hash),
    storeBlob: (content) => blobs.put(content),
    stepLog: (executionId) => ({ read: (offset, limit) => logs.read(executionId, offset, limit) }),
    logger: logger.child({ role: 'api' }),
  });
  const server = await serveApi(api, config.api);
  const { promise: ended, resolve, reject } = Promise.withResolvers<void>();
  return { ended, stop: () => void server.close().then(resolve, reject) };
}

if (import.meta.main) await runRoles('api', [startApi]);
