import type { Queryable } from './database.ts';

/** Blob hash of the newest document of that name which a phase of the job has made, also before the job's end. */
export async function findArtifact(database: Queryable, jobId: string, name: string): Promise<string | undefined> {
  const { rows } = await database.query<{ hash: string }>(
    `select data->'result'->'artifacts'->>$2 as hash from job_events
     where job_id = $1 and data->>'type' = 'phase.finished' and data->'result'->'artifacts' ? $2
     order by seq desc limit 1`,
    [jobId, name],
  );
  return rows[0]?.hash;
}
