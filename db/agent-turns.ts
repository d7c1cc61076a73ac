import type { Queryable } from './database.ts';

/** Workflow id of the job's agent that asked for this call; without a call, of the one that was heard of last. */
export async function findTurn(database: Queryable, jobId: string, callId?: string): Promise<string | undefined> {
  const { rows } = await database.query<{ turn: string }>(
    `select data->>'turn' as turn from job_events
     where job_id = $1 and data ? 'turn' and ($2::text is null or data->>'callId' = $2)
     order by seq desc limit 1`,
    [jobId, callId ?? null],
  );
  return rows[0]?.turn;
}
