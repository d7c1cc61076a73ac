import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdir, readFile, stat, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { Client } from 'pg';
import { processStart } from '../../infra/bootstrap/lock.mjs';
import { down, readStackState, status } from '../../infra/embedded/stack.ts';
import { readStackFile, writeStackFile } from '../../infra/embedded/state.ts';
import { withDatabase } from '../support/postgres.ts';
import { sharedTemporal } from '../support/temporal.ts';
import { withStack } from './with-stack.ts';
import type { TestStack } from './with-stack.ts';
import { eventually } from '../support/eventually.ts';

async function query(url: string, statement: string): Promise<unknown[]> {
  const client = new Client({ connectionString: url });
  await client.connect();
  try {
    return (await client.query(statement)).rows;
  } finally {
    await client.end();
  }
}

async function given(apiUrl: string): Promise<Record<string, string>> {
  return (await (await fetch(`${apiUrl}/`)).json()) as Record<string, string>;
}

async function kill(stack: TestStack, name: 'supervisor' | 'postgres' | 'temporal' | 'helix'): Promise<number> {
  const { pid } = await stack.process(name);
  process.kill(pid!, 'SIGKILL');
  await eventually(`${name} is gone`, () => processStart(pid!) === null);
  return pid!;
}

describe('the embedded stack', () => {
  it('comes up ready, is found without the network, and goes down leaving nothing behind', async () => {
    await withStack(async (stack) => {
      const first = performance.now();
      const started = await stack.up();
      const firstMs = performance.now() - first;
      assert.deepEqual(
        started.processes.map(({ name, state }) => `${name} ${state}`),
        ['supervisor running', 'postgres running', 'temporal running', 'helix running'],
      );
      assert.deepEqual(await readStackState(stack.config), started);
      const told = await given(started.apiUrl);
      assert.equal(told['databaseUrl'], started.databaseUrl);
      assert.equal(told['temporalAddress'], started.temporalAddress);
      assert.equal(told['home'], stack.config.home);
      assert.equal((await fetch(started.temporalUiUrl!)).status, 200);
      await query(started.databaseUrl, 'CREATE TABLE kept (id int)');

      const before = performance.now();
      assert.deepEqual(await stack.up(), started);
      assert.ok(performance.now() - before < firstMs / 5, 'a second up is quick');

      const stopped = await down(stack.config);
      assert.ok(stopped.every(({ state, pid }) => state === 'stopped' && pid === null));
      assert.ok(started.processes.every(({ pid }) => processStart(pid!) === null));
      assert.equal(await readStackState(stack.config), null);

      const again = await stack.up();
      assert.equal(again.databaseUrl, started.databaseUrl);
      assert.deepEqual(await query(again.databaseUrl, 'SELECT * FROM kept'), []);
      for (const name of ['postgres', 'temporal', 'helix', 'supervisor']) {
        const lines = (await readFile(join(stack.config.home, 'logs', `${name}.log`), 'utf8')).trimEnd().split('\n');
        for (const line of lines) assert.equal(typeof JSON.parse(line), 'object', line);
      }
    });
  });

  it('starts what was killed again, at the same address', async () => {
    await withStack(async (stack) => {
      const started = await stack.up();
      for (const name of ['helix', 'postgres', 'temporal'] as const) {
        const killed = await kill(stack, name);
        await eventually(`${name} runs again`, async () => {
          const { pid, state } = await stack.process(name);
          return state === 'running' && pid !== killed;
        });
      }
      const restored = await stack.up();
      const addresses = (state: typeof started) => state.processes.map(({ address }) => address);
      assert.deepEqual(addresses(restored), addresses(started));
      assert.deepEqual(await query(restored.databaseUrl, 'SELECT 1 AS one'), [{ one: 1 }]);
    });
  });

  it('goes on without its supervisor, and the next one takes over what runs and watches it', async () => {
    await withStack(async (stack) => {
      const started = await stack.up();
      await kill(stack, 'supervisor');
      assert.equal((await given(started.apiUrl))['databaseUrl'], started.databaseUrl);
      assert.deepEqual(
        (await status(stack.config)).map(({ state }) => state),
        ['stopped', 'running', 'running', 'running'],
      );

      const adopted = await stack.up();
      const parts = (state: typeof started) => state.processes.slice(1);
      assert.deepEqual(parts(adopted), parts(started));
      const killed = await kill(stack, 'helix');
      await eventually('the adopted Helix process is started again', async () => {
        const { pid, state } = await stack.process('helix');
        return state === 'running' && pid !== killed;
      });

      await kill(stack, 'supervisor');
      const left = (await status(stack.config)).flatMap(({ pid }) => pid ?? []);
      assert.equal(left.length, 3);
      await down(stack.config);
      assert.ok(left.every((pid) => processStart(pid) === null));
    });
  });

  it('recovers from everything killed at once, with stale records of other processes’ pids', async () => {
    await withStack(async (stack) => {
      await stack.up();
      for (const name of ['supervisor', 'helix', 'temporal', 'postgres'] as const) await kill(stack, name);
      // Every pid on record now belongs to someone else: this test, and for PostgreSQL a process of its own account,
      // because it takes processes of other accounts for no server anyway.
      const file = readStackFile(stack.config.home)!;
      const reuse = (identity: { pid: number; start: string } | null) => identity && { ...identity, pid: process.pid };
      const parts = file.parts.map((part) => ({ ...part, identity: reuse(part.identity) }));
      writeStackFile(stack.config.home, { ...file, supervisor: reuse(file.supervisor)!, parts });
      const pidFile = join(stack.config.home, 'postgres', 'postmaster.pid');
      const { uid, gid } = await stat(pidFile);
      const bystander = spawn('sleep', ['60'], process.getuid?.() === 0 ? { uid, gid } : {});
      await writeFile(pidFile, (await readFile(pidFile, 'utf8')).replace(/^\d+/, String(bystander.pid)));
      for (const lock of ['supervisor.lock', 'stack.lock']) {
        await writeFile(
          join(stack.config.home, lock),
          JSON.stringify({ pid: process.pid, start: 'another time', id: 'stale' }),
        );
      }

      const recovered = await stack.up();
      assert.deepEqual(
        recovered.processes.map(({ state }) => state),
        ['running', 'running', 'running', 'running'],
      );
      assert.ok(bystander.kill('SIGTERM'), 'the other process was left alone');
    });
  });

  it('takes other ports where the usual ones are in use, says so, and keeps them', async () => {
    const inTheWay = createServer().listen(0, '127.0.0.1');
    await new Promise((resolve) => inTheWay.once('listening', resolve));
    const taken = String((inTheWay.address() as AddressInfo).port);
    const env = { HELIX_API_PORT: taken, HELIX_PORTS_POSTGRES: taken, HELIX_PORTS_TEMPORAL: taken };
    try {
      await withStack(async (stack) => {
        const started = await stack.up();
        const ports = started.processes.flatMap(({ address }) => (address ? [address.split(':').at(-1)!] : []));
        assert.equal(new Set([...ports, taken]).size, 4);
        assert.ok(stack.told.some((line) => line.includes(`(${taken} was in use)`)));
        await down(stack.config);
        inTheWay.close();
        assert.deepEqual((await stack.up()).apiUrl, started.apiUrl);
      }, env);
    } finally {
      inTheWay.close();
    }
  });

  it('runs beside the stack of another home, also when both want the same ports at the same moment', async () => {
    await withStack(async (first) => {
      const { api, ports } = first.config;
      const env = {
        HELIX_API_PORT: String(api.port),
        HELIX_PORTS_POSTGRES: String(ports.postgres),
        HELIX_PORTS_TEMPORAL: String(ports.temporal),
        HELIX_PORTS_TEMPORAL_UI: String(ports.temporalUi),
      };
      await withStack(async (second) => {
        const [one, other] = await Promise.all([first.up(), second.up()]);
        assert.equal((await given(one.apiUrl))['home'], first.config.home);
        assert.equal((await given(other.apiUrl))['home'], second.config.home);
        await down(second.config);
        assert.ok((await status(first.config)).every(({ state }) => state === 'running'));
        assert.deepEqual(await query(one.databaseUrl, 'SELECT 1 AS one'), [{ one: 1 }]);
      }, env);
    });
  });

  it('starts on half-initialised PostgreSQL data and an unreadable state file', async () => {
    await withStack(async (stack) => {
      const data = join(stack.config.home, 'postgres');
      await mkdir(join(data, 'base'), { recursive: true });
      await writeFile(join(data, 'PG_VERSION'), '18\n');
      await mkdir(`${data}.new-interrupted`);
      await writeFile(join(stack.config.home, 'stack.json'), '{"version": 1, "superv');
      const { databaseUrl } = await stack.up();
      assert.deepEqual(await query(databaseUrl, 'SELECT 1 AS one'), [{ one: 1 }]);
    });
  });

  it('uses a PostgreSQL and a Temporal server of the user’s, and leaves them alone', async () => {
    const temporal = await sharedTemporal();
    await withDatabase(async (url) => {
      await withStack(
        async (stack) => {
          const started = await stack.up();
          assert.deepEqual(
            started.processes.map(({ name, state }) => `${name} ${state}`),
            ['supervisor running', 'postgres external', 'temporal external', 'helix running'],
          );
          const told = await given(started.apiUrl);
          assert.equal(told['databaseUrl'], url);
          assert.equal(told['temporalAddress'], temporal.address);
          await down(stack.config);
          assert.deepEqual(await query(url, 'SELECT 1 AS one'), [{ one: 1 }]);
        },
        { DATABASE_URL: url, TEMPORAL_ADDRESS: temporal.address },
      );
    });
  });
});
