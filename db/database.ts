import type { Logger } from 'pino';
import { Client, DatabaseError, Pool, type PoolClient, type QueryResultRow, TypeOverrides } from 'pg';
import { translateConnectionError } from './connection-error.ts';
import { Listener, type OnMessage } from './listener.ts';

/** What a query group needs: the pool, or one connection within a transaction. */
export interface Queryable {
  /**
   * Runs `work` in one transaction: committed when it resolves, rolled back when it throws. Within a transaction, `work` is
   * part of that one. It may run several times: of transactions that collide (deadlock, serialization) one is tried again.
   */
  transaction<T>(work: (transaction: Queryable) => Promise<T>): Promise<T>;
  /** Throws a `stack.unreachable` HelixError when the server is gone, pg's DatabaseError when the statement is at fault. */
  // oxlint-disable-next-line typescript/no-unnecessary-type-parameters -- whoever writes the statement knows its columns
  query<Row extends QueryResultRow>(text: string, values?: unknown[]): Promise<{ rows: Row[]; rowCount: number }>;
}

export interface Database extends Queryable {
  /**
   * Calls `onMessage` with the payload of each notification on the channel, from the moment the promise resolves, and with
   * undefined after each (re)connection, when some may have been missed. Reconnects by itself. Returns what ends it.
   */
  listen(channel: string, onMessage: OnMessage): Promise<() => void>;
  close(): Promise<void>;
}

/** serialization_failure and deadlock_detected */
const collisions = new Set(['40001', '40P01']);
const mostAttempts = 5;

/** The type id of `bigint`. Its values come as numbers: bytes and milliseconds stay below 2^53. */
const bigint = 20;

/** Opens a pool of connections. Nothing is connected before the first query; a server that dies never ends the process. */
export function openDatabase(url: string, options: { logger?: Logger; connections?: number } = {}): Database {
  const { logger } = options;
  const { host, port } = new Client(url);
  const address = `${host}:${port}`;
  const types = new TypeOverrides();
  types.setTypeParser(bigint, Number);
  const pool = new Pool({
    connectionString: url,
    max: options.connections ?? 10,
    application_name: 'helix',
    connectionTimeoutMillis: 5_000,
    keepAlive: true,
    types,
  });
  const onError = (error: Error) => logger?.warn({ err: error }, 'lost a connection to PostgreSQL');
  pool.on('error', onError);
  // The pool watches idle connections only; one that breaks while a transaction thinks would be an uncaught exception.
  pool.on('connect', (client) => client.on('error', onError));
  const listener = new Listener(url, logger);

  const queryOn =
    (client: Pool | PoolClient): Queryable['query'] =>
    async (text, values) => {
      try {
        const { rows, rowCount } = await client.query(text, values);
        return { rows, rowCount: rowCount ?? 0 };
      } catch (error) {
        throw translateConnectionError(error, address);
      }
    };

  const once = async <T>(work: (transaction: Queryable) => Promise<T>): Promise<T> => {
    const client = await pool.connect().catch((error: unknown) => {
      throw translateConnectionError(error, address);
    });
    let broken: Error | undefined;
    try {
      const within: Queryable = { query: queryOn(client), transaction: (part) => part(within) };
      await within.query('begin');
      const result = await work(within);
      await within.query('commit');
      return result;
    } catch (error) {
      await client.query('rollback').catch((reason: Error) => {
        broken = reason;
      });
      throw error;
    } finally {
      client.release(broken);
    }
  };

  return {
    query: queryOn(pool),

    async transaction(work) {
      for (let attempt = 1; ; attempt += 1) {
        try {
          return await once(work);
        } catch (error) {
          // Of transactions that stood in each other's way the server ends one, which may be tried again as it was.
          if (attempt >= mostAttempts || !(error instanceof DatabaseError && collisions.has(error.code ?? '')))
            throw error;
          logger?.warn({ err: error, attempt }, 'a transaction collided with another and is tried again');
        }
      }
    },

    listen: (channel, onMessage) => listener.add(channel, onMessage),

    async close() {
      await listener.close();
      await pool.end();
    },
  };
}
