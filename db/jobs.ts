import { jobStatusSchema } from '../contracts/job.ts';
import { isFinalJobStatus } from '../contracts/derived.ts';
import type { Checkpoint, JobRequest, JobResult, JobStatus, JobView } from '../contracts/job.ts';
import type { WorkItemView } from '../contracts/plan.ts';
import type { Queryable } from './database.ts';
import { eventsChannel } from './events.ts';
import { toJsonb } from './json.ts';
import { redactRequest } from './redact.ts';

const finalStatuses = jobStatusSchema.options.filter(isFinalJobStatus);

export interface NewJob {
  jobId: string;
  workflowId: string;
  project: string;
  request: JobRequest;
  webUrl?: string | null;
}

export interface JobPatch {
  status?: JobStatus;
  phase?: JobView['phase'];
  checkpoints?: Checkpoint[];
  items?: WorkItemView[];
  result?: JobResult;
}

interface JobRow {
  job_id: string;
  ordinal: number;
  workflow_id: string;
  project: string;
  request: JobRequest;
  status: JobStatus;
  phase: JobView['phase'];
  checkpoints: Checkpoint[];
  items: WorkItemView[];
  result: JobResult | null;
  web_url: string | null;
  last_seq: number;
  created_at: Date;
  updated_at: Date;
}

/** Records a job as running, without the values of its variables. Does nothing when the id is known. Returns whether it was new. */
export async function insertJob(database: Queryable, job: NewJob): Promise<boolean> {
  const { rowCount } = await database.query(
    `insert into jobs (job_id, workflow_id, project, request, status, web_url)
     values ($1, $2, $3, $4, 'running', $5)
     on conflict (job_id) do nothing`,
    [job.jobId, job.workflowId, job.project, toJsonb(redactRequest(job.request)), job.webUrl ?? null],
  );
  return rowCount === 1;
}

/**
 * Writes the named fields. Once a status is final, status and phase stay as they are, so that a late or repeated write changes
 * neither; result and checkpoints still move, as rolling back a job that has ended needs it. Returns whether the job is known.
 */
export async function updateJob(database: Queryable, jobId: string, patch: JobPatch): Promise<boolean> {
  const { rowCount } = await database.query(
    `with changed as (
       update jobs set
         status = case when status = any($2) then status else coalesce($3, status) end,
         phase = case when status = any($2) or not $4 then phase else $5 end,
         checkpoints = coalesce($6::jsonb, checkpoints),
         result = coalesce($7::jsonb, result),
         items = coalesce($9::jsonb, items),
         updated_at = now()
       where job_id = $1
       returning job_id
     )
     select pg_notify($8, job_id) from changed`,
    [
      jobId,
      finalStatuses,
      patch.status ?? null,
      patch.phase !== undefined,
      patch.phase ?? null,
      patch.checkpoints ? toJsonb(patch.checkpoints) : null,
      patch.result ? toJsonb(patch.result) : null,
      eventsChannel,
      patch.items ? toJsonb(patch.items) : null,
    ],
  );
  return rowCount === 1;
}

export async function getJob(database: Queryable, jobId: string): Promise<JobView | undefined> {
  const { rows } = await database.query<JobRow>('select * from jobs where job_id = $1', [jobId]);
  return rows[0] && toView(rows[0]);
}

/** Newest first, at most `limit`. `next` is the cursor of the page after this one, null on the last. */
export async function listJobs(
  database: Queryable,
  page: { limit: number; cursor?: number },
): Promise<{ jobs: JobView[]; next: number | null }> {
  const { rows } = await database.query<JobRow>(
    'select * from jobs where $1::bigint is null or ordinal < $1 order by ordinal desc limit $2',
    [page.cursor ?? null, page.limit + 1],
  );
  const shown = rows.slice(0, page.limit);
  return { jobs: shown.map(toView), next: rows.length > page.limit ? shown.at(-1)!.ordinal : null };
}

function toView(row: JobRow): JobView {
  return {
    jobId: row.job_id,
    workflowId: row.workflow_id,
    project: row.project,
    request: row.request,
    status: row.status,
    phase: row.phase,
    checkpoints: row.checkpoints,
    items: row.items,
    result: row.result,
    webUrl: row.web_url,
    lastSeq: row.last_seq,
    createdAt: row.created_at.toISOString(),
    updatedAt: row.updated_at.toISOString(),
  };
}
