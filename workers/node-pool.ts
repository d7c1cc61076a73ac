import { Worker } from '@temporalio/worker';
import { createNodeActivities } from '../activities/nodes.ts';
import { createStepActivities } from '../activities/steps.ts';
import { classesChannel, listClasses } from '../db/classes.ts';
import { nodesChannel, saveNode, setNodeState } from '../db/nodes.ts';
import { Allocator } from '../fleet/placement/allocator.ts';
import { Roster } from '../fleet/placement/roster.ts';
import { startRedetection } from '../fleet/redetection.ts';
import { fleetTaskQueue } from '../workflows/task-queues.ts';
import { ClassWorkers } from './support/class-workers.ts';
import type { Foundation } from './support/foundation.ts';
import { NodeConnector } from './support/node-connector.ts';
import { type Role, runRoles } from './support/role.ts';

/** Owns the connections to the nodes and places steps on them. */
export async function startNodePool(foundation: Foundation): Promise<Role> {
  const { config, connection, database, blobs, logs, stores, path } = foundation;
  const { namespace } = config.temporal;
  const logger = foundation.logger.child({ role: 'node-pool' });
  const { promise: broken, reject: onBroken } = Promise.withResolvers<never>();
  broken.catch(() => undefined);

  const allocator = new Allocator();
  const roster = new Roster(
    allocator,
    (name, state, reason) =>
      void setNodeState(database, name, state, reason).catch((error: unknown) =>
        logger.warn({ err: error }, 'could not record the state of a node'),
      ),
    logger,
  );
  const connector = new NodeConnector({ config, database, roster, stores, path, logger });
  // Before the first poll: a step that runs already must find its node connected.
  await connector.synchronise();

  const fleetWorker = await Worker.create({
    connection,
    namespace,
    taskQueue: fleetTaskQueue,
    activities: createNodeActivities({
      database,
      roster,
      connect: (registration) => connector.connectSsh(registration),
    }),
  });
  const classes = new ClassWorkers({
    connection,
    namespace,
    allocator,
    activities: createStepActivities({
      allocator,
      roster,
      database,
      blobs,
      logs,
      stores,
      logLimitBytes: config.step.logLimitBytes,
      logger,
    }),
    logger,
    onBroken,
  });
  const serveAll = async (): Promise<void> => {
    for (const name of await listClasses(database)) await classes.serve(name);
  };
  const background = (work: () => Promise<void>) => (): void =>
    void work().catch((error: unknown) => logger.warn({ err: error }, 'the node-pool could not follow a change'));
  const stopListening = [
    await database.listen(classesChannel, background(serveAll)),
    await database.listen(
      nodesChannel,
      background(() => connector.synchronise()),
    ),
  ];
  await serveAll();
  const stopRedetection = startRedetection({
    roster,
    everyMs: config.fleet.detectEveryMs,
    save: (record) => saveNode(database, record, { onlyKnown: true }),
    logger,
  });

  const fleetEnded = fleetWorker.run();
  const { promise: stopping, resolve: stop } = Promise.withResolvers<void>();
  const end = async (): Promise<void> => {
    await Promise.race([stopping, broken, fleetEnded]);
    stopRedetection();
    for (const unlisten of stopListening) unlisten();
    connector.stop();
    if (fleetWorker.getState() === 'RUNNING') fleetWorker.shutdown();
    await Promise.all([fleetEnded, classes.stop()]);
    await roster.close();
  };
  return { ended: end(), stop };
}

if (import.meta.main) await runRoles('node-pool', [startNodePool]);
