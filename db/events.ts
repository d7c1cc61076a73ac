import { HelixError } from '../contracts/error.ts';
import type { JobEvent, JobEventData } from '../contracts/event.ts';
import { jobStatusSchema } from '../contracts/job.ts';
import { isFinalJobStatus } from '../contracts/derived.ts';
import type { Queryable } from './database.ts';
import { toJsonb } from './json.ts';
import { redactEvent } from './redact.ts';

/** Notified with a job's id whenever its events or its status changed. */
export const eventsChannel = 'helix_events';

export interface NewEvent {
  /** Unique within the job: an event delivered twice is recorded once. */
  key: string;
  /** ISO 8601, UTC. */
  at: string;
  data: JobEventData;
}

/**
 * Appends the events that are not yet recorded, in their order, numbered on from the job's last without gaps, in one
 * transaction. Returns the job's last number. Throws `job.not-found`.
 */
export async function appendEvents(database: Queryable, jobId: string, events: readonly NewEvent[]): Promise<number> {
  return database.transaction(async (transaction) => {
    // The lock comes in a statement of its own: the next one must see what was committed while this one waited. It leaves alone the locks that rows
    // which refer to the job take: a stronger one would wait for those of another transaction that waits for this one.
    const { rows } = await transaction.query<{ last_seq: number }>(
      'select last_seq from jobs where job_id = $1 for no key update',
      [jobId],
    );
    if (!rows[0]) throw new HelixError('job.not-found', `there is no job ${jobId} to record events of`);
    const appended = await transaction.query<{ last_seq: number }>(
      `with offered as (
         select distinct on (key) key, at, data, position
         from unnest($2::text[], $3::timestamptz[], $4::jsonb[]) with ordinality as offer (key, at, data, position)
         where not exists (select from job_events where job_id = $1 and job_events.key = offer.key)
         order by key, position
       ), appended as (
         insert into job_events (job_id, seq, key, at, data)
         select $1, $5 + row_number() over (order by position), key, at, data from offered
         returning seq
       )
       update jobs set last_seq = (select max(seq) from appended), updated_at = now()
       where job_id = $1 and exists (select from appended)
       returning last_seq, pg_notify($6, job_id)`,
      [
        jobId,
        events.map(({ key }) => key),
        events.map(({ at }) => at),
        events.map(({ data }) => toJsonb(redactEvent(data))),
        rows[0].last_seq,
        eventsChannel,
      ],
    );
    return appended.rows[0]?.last_seq ?? rows[0].last_seq;
  });
}

/** The job's events numbered above `after`, in order, at most `limit`, of all types or of some; none when the job is not known. */
export async function readEvents(
  database: Queryable,
  jobId: string,
  after: number,
  limit: number,
  types?: readonly string[],
): Promise<JobEvent[]> {
  const { rows } = await database.query<{ seq: number; at: Date; data: JobEventData }>(
    `select seq, at, data from job_events
     where job_id = $1 and seq > $2 and ($4::text[] is null or data->>'type' = any($4)) order by seq limit $3`,
    [jobId, after, limit, types ?? null],
  );
  return rows.map(({ seq, at, data }) => ({ jobId, seq, at: at.toISOString(), data }));
}

/** Whether nothing is to come after event `seq`: the job has ended, and its log up to there says so. */
export async function isLogAtEnd(database: Queryable, jobId: string, seq: number): Promise<boolean> {
  const { rows } = await database.query(
    `select from jobs
     where job_id = $1 and last_seq <= $2 and status = any($3)
       and exists (select from job_events where job_id = $1 and data->>'type' = 'job.finished')`,
    [jobId, seq, jobStatusSchema.options.filter(isFinalJobStatus)],
  );
  return rows.length > 0;
}
