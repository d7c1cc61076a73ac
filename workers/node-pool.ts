import { Client } from '@temporalio/client';
import { Worker } from '@temporalio/worker';
import { createNodeModelActivities } from '../activities/node-models.ts';
import { createNodeActivities } from '../activities/nodes.ts';
import { StepRecorder } from '../activities/step-records.ts';
import { createStepActivities } from '../activities/steps.ts';
import { createToolRegistry } from '../agent/tools/registry.ts';
import { classesChannel, listClasses } from '../db/classes.ts';
import { changeStanding, nodesChannel, updateNode } from '../db/nodes.ts';
import { listAbandoned } from '../db/steps.ts';
import { Arrivals } from '../fleet/join/arrivals.ts';
import { Allocator } from '../fleet/placement/allocator.ts';
import { Roster } from '../fleet/placement/roster.ts';
import { Warmth } from '../fleet/placement/warmth.ts';
import { type Redetection, startRedetection } from '../fleet/redetection.ts';
import { FileTokenStore } from '../llm/auth/file-token-store.ts';
import { ProviderPool } from '../llm/provider-pool.ts';
import { fleetTaskQueue, poolTaskQueue } from '../workflows/task-queues.ts';
import { ClassWorkers } from './support/class-workers.ts';
import type { Foundation } from './support/foundation.ts';
import { JoinGate } from './support/join-gate.ts';
import { createModelHosts } from './support/model-hosts.ts';
import { MetricsRecorder } from './support/metrics-recorder.ts';
import { NodeConnector } from './support/node-connector.ts';
import { PoolMembership } from './support/pool-membership.ts';
import { createQuarantine } from './support/quarantine.ts';
import { type Role, runRoles } from './support/role.ts';
import { thisProcess } from './support/this-process.ts';

/** Owns the connections to its share of the nodes and places steps on them. */
export async function startNodePool(foundation: Foundation): Promise<Role> {
  const { config, connection, database, blobs, logs, stores, path } = foundation;
  const { namespace } = config.temporal;
  const pool = thisProcess();
  const logger = foundation.logger.child({ role: 'node-pool', pool: pool.id });
  const { promise: broken, reject: onBroken } = Promise.withResolvers<never>();
  broken.catch(() => undefined);
  const background = (work: () => Promise<unknown>): void =>
    void work().catch((error: unknown) => logger.warn({ err: error }, 'the node-pool could not follow a change'));

  let redetection: Redetection | undefined;
  const allocator = new Allocator(() => membership.isAlive());
  const metrics = new MetricsRecorder(database, logger);
  const warmth = new Warmth();
  const roster = new Roster(
    allocator,
    {
      onCondition: (name, condition) => {
        background(() => changeStanding(database, name, { condition }, pool.id));
        if (condition.state === 'healthy') void redetection?.detect(name);
      },
      onBeat: (name, beat, busy) => {
        metrics.take(name, beat, busy);
        if (beat.evicted) warmth.forget(name, beat.evicted);
      },
      // A machine that was away comes back with work that was done elsewhere meanwhile.
      onStray: (node, executionIds) =>
        background(async () => {
          const abandoned = await listAbandoned(database, node.name, executionIds);
          await Promise.all(abandoned.map((executionId) => node.release(executionId)));
        }),
    },
    logger,
  );
  const client = new Client({ connection, namespace });
  const arrivals = new Arrivals();
  const connector = new NodeConnector({
    config,
    database,
    client,
    pool: pool.id,
    roster,
    allocator,
    arrivals,
    stores,
    path,
    logger,
  });
  const gate = new JoinGate({ config, database, pool: pool.id, arrivals, connector, stores, path, logger });
  const membership = new PoolMembership({
    database,
    pool,
    logger,
    onChange: () => connector.synchronise(),
    onAlive: () => allocator.serve(),
    onSurplus: (surplus) => connector.giveUp(surplus),
  });
  await membership.join();
  // Only now it is known which node-pools of this machine have ended.
  await gate.start();
  // Before the first poll: a step that runs already must find its node connected.
  await connector.settled();

  const hosts = createModelHosts(config, path('cache'), (name) => roster.get(name));
  const activities = {
    ...createNodeModelActivities({
      database,
      nodePool: pool.id,
      hosts,
      pool: new ProviderPool(config.llm, new FileTokenStore(path('tokens')), config.home),
      blobs,
      logs,
      tools: createToolRegistry(),
      fallbackAfterMs: config.llm.fallbackAfterMs,
    }),
    ...createNodeActivities({
      database,
      pool: pool.id,
      roster,
      allocator,
      register: (registration, known) => connector.register(registration, known),
    }),
    ...createStepActivities({
      recorder: new StepRecorder(database),
      allocator,
      roster,
      warmth,
      pool: pool.id,
      evidence: createQuarantine({
        database,
        client,
        firstMs: config.fleet.quarantineMs,
        onQuarantine: (record) => roster.refresh(record),
        logger,
      }),
      database,
      blobs,
      logs,
      stores,
      logLimitBytes: config.step.logLimitBytes,
      logger,
    }),
  };
  const common = { connection, namespace, activities, maxHeartbeatThrottleInterval: '500ms' } as const;
  const workers = await Promise.all([
    Worker.create({ ...common, taskQueue: fleetTaskQueue }),
    // What comes here runs on a node of this pool already: holding it back would hold back nothing.
    Worker.create({ ...common, taskQueue: poolTaskQueue(pool.id), maxConcurrentActivityTaskExecutions: 2_000 }),
  ]);
  const classes = new ClassWorkers({ connection, namespace, allocator, activities, logger, onBroken });
  const serveAll = async (): Promise<void> => {
    for (const name of await listClasses(database)) await classes.serve(name);
  };
  const stopListening = [
    await database.listen(classesChannel, () => background(serveAll)),
    await database.listen(nodesChannel, () =>
      background(async () => {
        await membership.look();
        await connector.synchronise();
        await gate.look();
      }),
    ),
  ];
  await serveAll();
  redetection = startRedetection({
    roster,
    everyMs: config.fleet.detectEveryMs,
    save: (record) => updateNode(database, record),
    logger,
  });

  const ended = workers.map((worker) => worker.run());
  const { promise: stopping, resolve: stop } = Promise.withResolvers<void>();
  const end = async (): Promise<void> => {
    await Promise.race([stopping, broken, ...ended]);
    redetection?.stop();
    for (const unlisten of stopListening) unlisten();
    gate.stopListening();
    connector.stop();
    hosts.close();
    for (const worker of workers) if (worker.getState() === 'RUNNING') worker.shutdown();
    await Promise.all([...ended, classes.stop()]);
    await roster.close();
    await gate.stop();
    await metrics.stop();
    await membership.leave();
  };
  return { ended: end(), stop };
}

if (import.meta.main) await runRoles('node-pool', [startNodePool]);
