import type { Queryable } from './database.ts';

/** Workflow ids of the job's agents that asked for this call, the last one first. */
export async function turnsThatAsked(database: Queryable, jobId: string, callId: string): Promise<string[]> {
  const { rows } = await database.query<{ turn: string }>(
    `select data->>'turn' as turn from job_events
     where job_id = $1 and data->>'type' = 'agent.asks' and data->>'callId' = $2
     group by turn order by max(seq) desc`,
    [jobId, callId],
  );
  return rows.map(({ turn }) => turn);
}

/** Workflow ids of the job's agents that were last heard of when their budget was used up. */
export async function turnsOutOfBudget(database: Queryable, jobId: string): Promise<string[]> {
  const { rows } = await database.query<{ turn: string }>(
    `select turn from (
       select distinct on (data->>'turn') data->>'turn' as turn, data->>'type' as type from job_events
       where job_id = $1 and data ? 'turn'
       order by data->>'turn', seq desc
     ) as last
     where type = 'agent.out-of-budget'`,
    [jobId],
  );
  return rows.map(({ turn }) => turn);
}
