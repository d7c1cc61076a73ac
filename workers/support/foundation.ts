import { join } from 'node:path';
import { NativeConnection } from '@temporalio/worker';
import { type BlobStore, createBlobStore } from '../../blobs/blob-store.ts';
import { createStepLogs, type StepLogs } from '../../blobs/step-logs.ts';
import { loadConfig } from '../../config/load.ts';
import type { Config } from '../../config/schema.ts';
import { temporalConnection } from '../../config/temporal-profile.ts';
import { HelixError } from '../../contracts/error.ts';
import type { ProjectId } from '../../contracts/snapshot.ts';
import { type Database, openDatabase } from '../../db/database.ts';
import { migrate } from '../../db/migrate.ts';
import { createLogger, type Logger } from '../../observability/logger.ts';
import { openStore, type SnapshotStore } from '../../snapshots/store.ts';

/** What every role stands on. */
export interface Foundation {
  config: Config;
  logger: Logger;
  database: Database;
  connection: NativeConnection;
  blobs: BlobStore;
  logs: StepLogs;
  stores(project: ProjectId): Promise<SnapshotStore>;
  webUrl(workflowId: string): string | null;
  /** Folder of the controller's own state. */
  path(...parts: string[]): string;
  close(): Promise<void>;
}

const connectForMs = 60_000;

/** Connects to PostgreSQL and Temporal, both of which may still be starting, and brings the schema up to date. */
export async function lay(name: string, env: NodeJS.ProcessEnv = process.env): Promise<Foundation> {
  const config = loadConfig(env);
  const logger = createLogger(name, { level: config.log.level });
  const { url } = config.database;
  const { namespace, uiUrl } = config.temporal;
  if (!url)
    throw new HelixError(
      'usage.invalid',
      'no database is configured: set DATABASE_URL, or start the embedded stack with "helix up"',
    );
  const temporal = temporalConnection(config);
  const database = openDatabase(url, { logger });
  await untilReachable('PostgreSQL', logger, () => migrate(database));
  const connection = await untilReachable(`Temporal at ${temporal?.address}`, logger, () =>
    NativeConnection.connect(temporal),
  );
  const path = (...parts: string[]): string => join(config.home, ...parts);
  const stores = new Map<ProjectId, Promise<SnapshotStore>>();
  return {
    config,
    logger,
    database,
    connection,
    path,
    blobs: createBlobStore(path('blobs')),
    logs: createStepLogs(path('step-logs')),
    stores(project) {
      let store = stores.get(project);
      if (!store) {
        // The local node keeps its projects in the same place, so that nothing is copied for it.
        store = openStore(path('node', 'projects', project, 'store'));
        stores.set(project, store);
        store.catch(() => stores.delete(project));
      }
      return store;
    },
    webUrl: (workflowId) =>
      uiUrl ? `${uiUrl.replace(/\/$/, '')}/namespaces/${namespace}/workflows/${encodeURIComponent(workflowId)}` : null,
    async close() {
      await connection.close();
      await database.close();
    },
  };
}

async function untilReachable<T>(what: string, logger: Logger, connect: () => Promise<T>): Promise<T> {
  const deadline = Date.now() + connectForMs;
  for (;;) {
    try {
      return await connect();
    } catch (error) {
      if (Date.now() > deadline) throw error;
      logger.info({ err: error }, `waiting for ${what}`);
      await new Promise((resolve) => setTimeout(resolve, 250));
    }
  }
}
