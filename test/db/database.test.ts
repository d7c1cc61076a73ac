import assert from 'node:assert/strict';
import { createServer, connect, type Server, type Socket } from 'node:net';
import { once } from 'node:events';
import { HelixError } from '../../contracts/error.ts';
import { openDatabase } from '../../db/database.ts';
import { withDatabase } from '../support/postgres.ts';

describe('the database connection', () => {
  it('rolls back what a transaction did before it threw', () =>
    withDatabase(async (url) => {
      const database = openDatabase(url);
      try {
        await database.query('create table t (x int)');
        const failing = database.transaction(async (transaction) => {
          await transaction.query('insert into t values (1)');
          await transaction.transaction((same) => same.query('insert into t values (2)'));
          throw new Error('changed my mind');
        });
        await assert.rejects(failing, /changed my mind/);
        assert.equal((await database.query('select from t')).rowCount, 0);
      } finally {
        await database.close();
      }
    }));

  it('tries a transaction again that the server ended because it and another waited for each other', () =>
    withDatabase(async (url) => {
      const database = openDatabase(url);
      try {
        await database.query('create table t as select x, 0 as n from generate_series(1, 2) x');
        let waiting = 0;
        const { promise: bothHold, resolve } = Promise.withResolvers<void>();
        const { promise: oneIsDone, resolve: done } = Promise.withResolvers<void>();
        const add = (first: number, second: number): Promise<void> =>
          database.transaction(async (transaction) => {
            // Tried again at once, it could collide once more.
            if (waiting === 2) await oneIsDone;
            await transaction.query('update t set n = n + 1 where x = $1', [first]);
            if ((waiting += 1) === 2) resolve();
            await bothHold;
            await transaction.query('update t set n = n + 1 where x = $1', [second]);
          });
        await Promise.all([add(1, 2).then(done), add(2, 1).then(done)]);
        assert.equal(waiting, 3);
        assert.deepEqual((await database.query('select n from t order by x')).rows, [{ n: 2 }, { n: 2 }]);
      } finally {
        await database.close();
      }
    }));

  it('survives the loss of the server: errors say so, queries work again, listeners are told to look', () =>
    withDatabase(async (url) => {
      await withCuttableProxy(url, async (proxied, proxy) => {
        const database = openDatabase(proxied);
        try {
          const heard: (string | undefined)[] = [];
          await database.listen('things', (payload) => heard.push(payload));
          await database.query("select pg_notify('things', 'before')");
          await until(() => heard.includes('before'));
          heard.length = 0;
          const inTransaction = database.transaction(async (transaction) => {
            await transaction.query('select 1');
            await proxy.cut();
            await transaction.query('select 2');
          });
          await assert.rejects(inTransaction, isUnreachable);
          await assert.rejects(database.query('select 1'), isUnreachable);
          await proxy.mend();
          await until(() => heard.includes(undefined));
          await database.query("select pg_notify('things', 'after')");
          await until(() => heard.includes('after'));
        } finally {
          await database.close();
        }
      });
    }));

  it('survives that the server ends its connections', () =>
    withDatabase(async (url) => {
      const [database, other] = [openDatabase(url), openDatabase(url)];
      try {
        const heard: (string | undefined)[] = [];
        await database.listen('things', (payload) => heard.push(payload));
        await database.query('select 1');
        heard.length = 0;
        await other.query(
          'select pg_terminate_backend(pid) from pg_stat_activity where pid <> pg_backend_pid() and datname = current_database()',
        );
        await until(() => heard.includes(undefined));
        await other.query("select pg_notify('things', 'after')");
        await until(() => heard.includes('after'));
        assert.equal((await database.query('select 1')).rowCount, 1);
      } finally {
        await Promise.all([database.close(), other.close()]);
      }
    }));
});

function isUnreachable(error: unknown): boolean {
  return (
    error instanceof HelixError &&
    error.code === 'stack.unreachable' &&
    /PostgreSQL at 127\.0\.0\.1:\d+/.test(error.message)
  );
}

async function until(isTrue: () => boolean): Promise<void> {
  while (!isTrue()) await new Promise((resolve) => setTimeout(resolve, 5));
}

interface Proxy {
  /** Ends all connections and refuses new ones. */
  cut(): Promise<void>;
  mend(): Promise<void>;
}

/** Stands before the server, so that a test can take it away from one client alone. */
async function withCuttableProxy(url: string, use: (url: string, proxy: Proxy) => Promise<void>): Promise<void> {
  const target = new URL(url);
  const sockets = new Set<Socket>();
  let server: Server;
  let port = 0;
  const open = async () => {
    server = createServer((socket) => {
      const upstream = connect(Number(target.port), target.hostname);
      for (const end of [socket, upstream]) {
        sockets.add(end);
        end.on('error', () => undefined);
        end.on('close', () => [socket, upstream].forEach((each) => each.destroy()));
      }
      socket.pipe(upstream).pipe(socket);
    }).listen(port, '127.0.0.1');
    await once(server, 'listening');
    port = (server.address() as { port: number }).port;
  };
  const cut = async () => {
    const closed = once(server, 'close');
    server.close();
    for (const socket of sockets) socket.destroy();
    await closed;
  };
  await open();
  const proxied = new URL(url);
  proxied.hostname = '127.0.0.1';
  proxied.port = String(port);
  try {
    await use(proxied.href, { cut, mend: open });
  } finally {
    await cut();
  }
}
