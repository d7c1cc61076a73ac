import { dirname } from 'node:path';
import { Client, Connection } from '@temporalio/client';
import type { HelixClient } from '../../client/client.ts';
import { loadConfig } from '../../config/load.ts';
import { nodeRegistrationSchema } from '../../contracts/node.ts';
import { openDatabase } from '../../db/database.ts';
import { readStackState } from '../../infra/embedded/stack.ts';
import { pathWith, systemPrograms } from '../../test/support/few-programs.ts';
import { type Sshd, withSshds } from '../../test/support/sshd.ts';
import { startStack } from '../../test/support/stack.ts';
import { withTempDir } from '../../test/support/temp-dir.ts';
import type { Controller } from '../../test/support/steps-of-a-job.ts';

export const slotsPerNode = 2;
/** The class of steps that run on the machines and not on the controller. */
export const benchClass = 'bench';
const addedAtOnce = 8;

export interface FleetController extends Controller {
  api: HelixClient;
  machines: Sshd[];
  temporalAddress: string;
  /** Process id of the Helix process, which has all four roles. */
  pid: number;
  /** Registers the machines from index `from` up to `to`. */
  addMachines(from: number, to: number): Promise<void>;
}

/**
 * Starts the embedded stack and `count` machines, each an sshd on a loopback address and with a home of its own, and few programs, so that detection
 * is no part of what is measured. None is registered yet.
 */
export async function withFleetController<T>(count: number, use: (fleet: FleetController) => Promise<T>): Promise<T> {
  return await withTempDir(async (dir) => {
    const path = `${pathWith(dir, [...systemPrograms, 'git', 'true', 'stat', 'date', 'perl'])}:${dirname(process.execPath)}`;
    const machines = Array.from({ length: count }, (_, index) => ({
      path,
      address: `127.1.${index >> 7}.${(index & 127) + 1}`,
      config: ['MaxSessions 100', 'MaxStartups 100'],
    }));
    return await withSshds(machines, async (running) => await withStack(running, use));
  });
}

async function withStack<T>(machines: Sshd[], use: (fleet: FleetController) => Promise<T>): Promise<T> {
  const stack = await startStack();
  const { databaseUrl, temporalAddress, processes } = (await readStackState(loadConfig(stack.env)))!;
  const connection = await Connection.connect({ address: temporalAddress });
  const database = openDatabase(databaseUrl);
  const api = await stack.client();
  try {
    return await use({
      home: stack.home,
      client: new Client({ connection }),
      database,
      api,
      machines,
      temporalAddress,
      pid: processes.find(({ name }) => name === 'helix')!.pid!,
      async addMachines(from, to) {
        const waiting = machines.slice(from, to).entries();
        const lane = async (): Promise<void> => {
          for (const [index, { target, hostKey }] of waiting)
            await api.addNode(
              nodeRegistrationSchema.parse({
                name: `bench-${from + index + 1}`,
                ssh: target,
                hostKey: { kind: 'fingerprint', sha256: await hostKey() },
                slots: slotsPerNode,
                labels: { [benchClass]: 'true' },
              }),
            );
        };
        await Promise.all(Array.from({ length: addedAtOnce }, lane));
      },
    });
  } finally {
    await database.close();
    await connection.close();
    await stack.down();
  }
}
