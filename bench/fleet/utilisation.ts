import type { BenchRow } from '../row.ts';
import { prepareProject, prepareSteps } from '../../test/support/steps-of-a-job.ts';
import { benchClass, slotsPerNode, withFleetController } from './controller.ts';

const nodes = 100;
const slots = nodes * slotsPerNode;
const jobs = 8;
const stepsPerJob = 100;
/** Seconds, as of builds and tests; each step sleeps, because on one machine with a hundred nodes work would slow down its neighbours and not itself. */
const lengths = [5, 10, 20, 30, 60];

/** A backlog of steps of mixed length on 100 nodes: the share of all slots' time that commands were running, from the first start to the last. */
export async function benchFleetUtilisation(): Promise<BenchRow[]> {
  return await withFleetController(nodes, async (fleet) => {
    await fleet.addMachines(0, nodes);
    const commands = Array.from({ length: stepsPerJob }, (_, index) => `sleep ${lengths[index % lengths.length]}`);
    const on = await prepareProject(fleet.home);
    const job = await prepareSteps(fleet, { commands, class: benchClass, on });
    // Every slot has its checkout then: what a first step costs is not what is measured.
    const first = await prepareSteps(fleet, {
      commands: Array.from({ length: slots * 2 }, () => 'sleep 3'),
      class: benchClass,
      on,
    });
    await first.run('first');
    await Promise.all(Array.from({ length: jobs }, (_, index) => job.run(`mixed-${index}`)));
    const { rows } = await fleet.database.query<{ busy: number; period: number }>(
      `with period as (select min(started_at) as first, max(started_at) as last from steps where job_id like 'mixed-%')
       select extract(epoch from last - first)::float8 as period,
              (select sum(extract(epoch from least(started_at + duration_ms * interval '1 ms', last) - started_at))
                 from steps where job_id like 'mixed-%')::float8 as busy
         from period`,
    );
    const share = rows[0]!.busy / (rows[0]!.period * slots);
    return [
      {
        name: `busy slots with a backlog of ${jobs * stepsPerJob} steps on ${nodes} nodes`,
        ours: share * 100,
        unit: '%',
        target: '>= 85%',
      },
    ];
  });
}
