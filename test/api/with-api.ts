import { createHash } from 'node:crypto';
import { join } from 'node:path';
import pino from 'pino';
import { createApi } from '../../api/app.ts';
import type { ApiDeps } from '../../api/deps.ts';
import { createNodeTokens } from '../../api/node-tokens.ts';
import { type ApiServer, serveApi } from '../../api/server.ts';
import type { Database } from '../../db/database.ts';
import { withSchema } from '../db/with-schema.ts';
import { withTempDir } from '../support/temp-dir.ts';
import { echoingModels, noLocalModels, RecordedJobs, recordedNodes, silentChats } from './controls.ts';

export interface TestApi {
  url: string;
  database: Database;
  jobs: RecordedJobs;
  blobs: Map<string, Buffer>;
  /** Logs of steps by execution id. */
  logs: Map<string, Buffer>;
  /** Ends the server as a crash would: connections are cut. */
  kill(): Promise<void>;
  /** Ends the server in good order. */
  stop(): Promise<void>;
  /** Serves again at the same address. */
  restart(): Promise<void>;
}

const timings = { heartbeatMs: 200, pollMs: 5_000 };

/** A real server with a real database; only what lies behind the seams of `ApiDeps` is held in memory. */
export async function withApi<T>(
  use: (api: TestApi) => Promise<T>,
  change: (deps: ApiDeps) => ApiDeps = (deps) => deps,
): Promise<T> {
  return withTempDir((dir) =>
    withSchema(async (database) => {
      const jobs = new RecordedJobs(database);
      const blobs = new Map<string, Buffer>();
      const logs = new Map<string, Buffer>();
      const deps: ApiDeps = {
        database,
        jobs,
        nodes: recordedNodes(database),
        nodeTokens: createNodeTokens(database, { keyFile: join(dir, 'key'), cacheDir: dir, listeningWithinMs: 500 }),
        chats: silentChats,
        models: echoingModels,
        localModels: noLocalModels,
        readBlob: async (hash) => blobs.get(hash),
        storeBlob: async (content) => {
          const hash = createHash('sha256').update(content).digest('hex');
          blobs.set(hash, content);
          return hash;
        },
        stepLog: (executionId) => ({
          read: async (offset, limit) => (logs.get(executionId) ?? Buffer.alloc(0)).subarray(offset, offset + limit),
        }),
        logger: pino({ level: 'silent' }),
      };
      const serve = (port: number) => serveApi(createApi(change(deps), timings), { host: '127.0.0.1', port });
      let server: ApiServer | undefined = await serve(0);
      const { url } = server;
      const kill = async () => {
        await server?.close(0);
        server = undefined;
      };
      try {
        return await use({
          url,
          database,
          jobs,
          blobs,
          logs,
          kill,
          stop: async () => {
            await server?.close();
            server = undefined;
          },
          restart: async () => {
            server = await serve(Number(new URL(url).port));
          },
        });
      } finally {
        await kill();
      }
    }),
  );
}
