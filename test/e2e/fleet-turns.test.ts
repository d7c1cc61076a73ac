import assert from 'node:assert/strict';
import { Client, Connection } from '@temporalio/client';
import type { JobRequest } from '../../contracts/job.ts';
import { type Database, openDatabase } from '../../db/database.ts';
import { withFleet } from '../support/fleet.ts';
import { prepareProject, prepareSteps } from '../support/steps-of-a-job.ts';
import { eventually } from '../support/eventually.ts';

describe('steps that wait for one place', () => {
  it('are taken up in turns of the users, those of critical jobs first', async () => {
    await withFleet({ machines: [{}] }, async (fleet) => {
      await fleet.addMachine(0, 1);
      const connection = await Connection.connect({ address: fleet.temporalAddress });
      const database = openDatabase(fleet.databaseUrl);
      try {
        const controller = { home: fleet.home, database, client: new Client({ connection }) };
        const on = await prepareProject(fleet.home);
        const run = async (id: string, steps: number, request: Partial<JobRequest>): Promise<unknown> => {
          const commands = Array.from({ length: steps }, () => 'sleep 0.3');
          return await (await prepareSteps(controller, { commands, class: 'pool=ssh', on, request })).run(id);
        };
        const jobs = [run('many', 24, { user: 'ann' })];
        await eventually('the first steps have run', async () => (await started(database)).length >= 3);
        jobs.push(run('few', 5, { user: 'bob' }));
        await eventually('the other user has had a turn', async () => (await started(database)).includes('few'));
        const before = (await started(database)).length;
        jobs.push(run('urgent', 4, { user: 'ann', priority: 'critical' }));
        await Promise.all(jobs);

        const order = await started(database);
        console.log(`      ${order.map((job) => job[0]).join('')}`);
        // Of each a step or two were on their way already.
        const last = (job: string): number => order.lastIndexOf(job);
        assert.ok(last('urgent') < before + 4 + 3, 'critical steps overtake');
        assert.ok(
          last('few') < order.indexOf('few') + 4 + 2 * 5 + 3,
          'the one with few steps waits for no more than its turns',
        );
        assert.equal(order.length, 33);
      } finally {
        await database.close();
        await connection.close();
      }
    });
  });
});

/** The jobs of the steps that were started, in that order. */
async function started(database: Database): Promise<string[]> {
  const { rows } = await database.query<{ job_id: string }>(
    'select job_id from steps where started_at is not null order by started_at',
  );
  return rows.map(({ job_id: job }) => job);
}
