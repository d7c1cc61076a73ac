import { setTimeout as delay } from 'node:timers/promises';
import type { Sshd } from '../../test/support/sshd.ts';
import type { BenchRow } from '../row.ts';
import { prepareSteps } from '../../test/support/steps-of-a-job.ts';
import { benchClass, withFleetController } from './controller.ts';
import { eventually } from '../../test/support/eventually.ts';

const nodes = 40;
const deaths = 20;

/** How long after the death of a node its step runs on another one. Every other machine is switched off, the others freeze, which nothing tells of but silence. */
export async function benchFleetFailover(): Promise<BenchRow[]> {
  return await withFleetController(nodes, async (fleet) => {
    const { client, database, machines } = fleet;
    await fleet.addMachines(0, nodes);
    const job = await prepareSteps(fleet, {
      commands: Array.from({ length: deaths }, () => 'sleep 300'),
      class: benchClass,
    });
    const running = job.run('failover').catch(() => undefined);
    const steps = async (): Promise<{ id: string; node: string | null }[]> =>
      (
        await database.query<{ id: string; node: string | null }>(
          `select execution_id as id, case when state = 'running' then node end as node from steps where job_id = 'failover'`,
        )
      ).rows;
    const nodeOf = async (id: string): Promise<string | null> => (await steps()).find((step) => step.id === id)!.node;
    const first = await eventually(
      'every step runs',
      async () => {
        const now = await steps();
        return now.filter(({ node }) => node !== null).length === deaths ? now : undefined;
      },
      60_000,
    );
    const dead = new Set<Sshd>();
    try {
      const times = await Promise.all(
        first.map(async ({ id, node }, index) => {
          // Apart, so that a beat of the node is at any distance.
          await delay(index * 1_700);
          const machine = machines[Number(node!.slice('bench-'.length)) - 1]!;
          dead.add(machine);
          const since = performance.now();
          if (index % 2 === 0) machine.freezeAll();
          else await machine.switchOff();
          await eventually(
            `${id} runs elsewhere`,
            async () => {
              const now = await nodeOf(id);
              return now !== null && now !== node;
            },
            120_000,
          );
          return (performance.now() - since) / 1000;
        }),
      );
      const rowOf = (name: string, some: number[], target: string): BenchRow => {
        const sorted = some.toSorted((a, b) => a - b);
        return { name, ours: sorted[Math.ceil(sorted.length * 0.95) - 1]!, unit: 's', target };
      };
      return [
        rowOf('p95 from the death of a node to its step running elsewhere', times, '<= 15 s'),
        rowOf('  of those that froze', times.filter((_, index) => index % 2 === 0), '-'), // prettier-ignore
        rowOf('  of those that were switched off', times.filter((_, index) => index % 2 === 1), '-'), // prettier-ignore
      ];
    } finally {
      await client.workflow.getHandle('failover').cancel();
      await running;
      for (const machine of dead) await machine.switchOff();
    }
  });
}
