import type { Mode, StepView } from '../contracts/job.ts';
import type { StepResult } from '../contracts/step.ts';
import type { Queryable } from './database.ts';
import { storableText, toJsonb } from './json.ts';

/** Which step of which job: the same on every attempt. */
export interface StepIdentity {
  jobId: string;
  executionId: string;
  taskId: string;
  title: string;
  phase: Mode;
}

export interface StepStart extends StepIdentity {
  node: string;
  /** Counts from 1; a start of an older attempt than the one on record changes nothing. An attempt may go on to another node. */
  attempt: number;
}

export interface StepOutcome {
  state: 'succeeded' | 'failed' | 'cancelled';
  /** Where it ran; when absent, the node it was started on stays. */
  node?: string | null;
  cached?: boolean;
  exitCode?: number | null;
  /** `end` of the StepResult; null when the step never ran to one. */
  end?: string | null;
  logBytes?: number;
  durationMs?: number | null;
  /** What `findStep` gives a later attempt of the same execution as its answer. */
  result?: StepResult;
}

export interface StepFinish extends StepIdentity {
  outcome: StepOutcome;
}

interface StepRow {
  number: number;
  execution_id: string;
  task_id: string;
  title: string;
  phase: Mode;
  state: StepView['state'];
  node: string | null;
  attempt: number;
  cached: boolean;
  exit_code: number | null;
  ended: string | null;
  log_bytes: number;
  duration_ms: number | null;
  started_at: Date;
  finished_at: Date | null;
}

/** Records that attempts of steps of a job run on nodes, and numbers those steps within the job that are new. No step may come twice. */
export async function startSteps(database: Queryable, jobId: string, steps: readonly StepStart[]): Promise<void> {
  if (steps.length === 0) return;
  await database.transaction(async (transaction) => {
    await introduce(transaction, jobId, steps.map((step) => ({ step, state: 'running', node: step.node, attempt: step.attempt }))); // prettier-ignore
    await transaction.query(
      `update steps set state = 'running', node = start.node, attempt = start.attempt, started_at = now(), finished_at = null,
         cached = false, exit_code = null, ended = null, duration_ms = null, log_bytes = 0
       from unnest($1::text[], $2::text[], $3::integer[]) as start (execution_id, node, attempt)
       where steps.execution_id = start.execution_id
         and (steps.attempt < start.attempt or state = 'waiting'
           or steps.attempt = start.attempt and steps.node is distinct from start.node)`,
      columns(steps, ({ executionId, node, attempt }) => [executionId, node, attempt]),
    );
  });
}

/** Records that steps of a job wait for nodes. A step that has ended stays as it is. */
export async function setWaiting(database: Queryable, jobId: string, steps: readonly StepIdentity[]): Promise<void> {
  if (steps.length === 0) return;
  await database.transaction(async (transaction) => {
    await introduce(transaction, jobId, steps.map((step) => ({ step, state: 'waiting', node: null, attempt: 0 }))); // prettier-ignore
    await transaction.query(
      `update steps set state = 'waiting', node = null where execution_id = any($1) and state = 'running'`,
      [steps.map(({ executionId }) => executionId)],
    );
  });
}

/**
 * Records how steps of a job ended. A step that has ended already stays as it is; one that was never started (answered from the cache, cancelled
 * while it waited) is recorded too. No step may come twice.
 */
export async function finishSteps(database: Queryable, jobId: string, steps: readonly StepFinish[]): Promise<void> {
  if (steps.length === 0) return;
  await database.transaction(async (transaction) => {
    await introduce(transaction, jobId, steps.map((step) => ({ step, state: 'waiting', node: null, attempt: 1 }))); // prettier-ignore
    await transaction.query(
      `update steps set
         state = finish.state, node = coalesce(finish.node, steps.node), cached = finish.cached, exit_code = finish.exit_code,
         ended = finish.ended, log_bytes = finish.log_bytes, duration_ms = finish.duration_ms, result = finish.result, finished_at = now()
       from unnest($1::text[], $2::text[], $3::text[], $4::boolean[], $5::integer[], $6::text[], $7::bigint[], $8::bigint[], $9::jsonb[])
         as finish (execution_id, state, node, cached, exit_code, ended, log_bytes, duration_ms, result)
       where steps.execution_id = finish.execution_id and finished_at is null`,
      columns(steps, ({ executionId, outcome }) => [
        executionId,
        outcome.state,
        outcome.node ?? null,
        outcome.cached ?? false,
        outcome.exitCode ?? null,
        outcome.end ?? null,
        outcome.logBytes ?? 0,
        outcome.durationMs ?? null,
        outcome.result ? toJsonb(outcome.result) : null,
      ]),
    );
  });
}

export async function getStep(database: Queryable, jobId: string, number: number): Promise<StepView | undefined> {
  const { rows } = await database.query<StepRow>('select * from steps where job_id = $1 and number = $2', [
    jobId,
    number,
  ]);
  return rows[0] && toView(rows[0]);
}

/** The job's steps in the order of their numbers. */
export async function listSteps(database: Queryable, jobId: string): Promise<StepView[]> {
  const { rows } = await database.query<StepRow>('select * from steps where job_id = $1 order by number', [jobId]);
  return rows.map(toView);
}

/** The step of an execution; with `result` when it has ended with one. */
export async function findStep(
  database: Queryable,
  executionId: string,
): Promise<{ jobId: string; step: StepView; result?: StepResult } | undefined> {
  const { rows } = await database.query<StepRow & { job_id: string; result: StepResult | null }>(
    'select * from steps where execution_id = $1',
    [executionId],
  );
  const row = rows[0];
  return row && { jobId: row.job_id, step: toView(row), ...(row.result ? { result: row.result } : {}) };
}

/** Those of the executions that have ended or have gone on to another node: nobody will ask this one for them any more. */
export async function listAbandoned(
  database: Queryable,
  node: string,
  executionIds: readonly string[],
): Promise<string[]> {
  const { rows } = await database.query<{ execution_id: string }>(
    `select execution_id from steps
     where execution_id = any($1) and (finished_at is not null or node is distinct from $2 and state = 'running')`,
    [executionIds, node],
  );
  return rows.map((row) => row.execution_id);
}

interface Introduction {
  step: StepIdentity;
  state: 'waiting' | 'running';
  node: string | null;
  attempt: number;
}

/** Inserts those of the steps that are not known, with the next numbers of their job, which stays locked. */
async function introduce(transaction: Queryable, jobId: string, steps: readonly Introduction[]): Promise<void> {
  // The lock on the job comes in a statement of its own: the next one must see a step inserted while this one waited. It is the first of every
  // transaction on steps, so that none waits for another one's step with a lock on the job.
  await transaction.query('select from jobs where job_id = $1 for no key update', [jobId]);
  await transaction.query(
    `with offered as (
       select *, row_number() over (order by position) as place
       from unnest($2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::integer[]) with ordinality
         as offer (execution_id, task_id, title, phase, state, node, attempt, position)
       where not exists (select from steps where steps.execution_id = offer.execution_id)
     ), numbered as (
       update jobs set last_step = last_step + (select count(*) from offered)
       where job_id = $1 and exists (select from offered)
       returning last_step - (select count(*) from offered) as before
     )
     insert into steps (job_id, execution_id, number, task_id, title, phase, state, node, attempt)
     select $1, execution_id, before + place, task_id, title, phase, state, node, attempt from offered, numbered`,
    [
      jobId,
      ...columns(steps, ({ step, state, node, attempt }) => [
        step.executionId,
        step.taskId,
        storableText(step.title),
        step.phase,
        state,
        node,
        attempt,
      ]),
    ],
  );
}

/** What each row holds, as one array for each column. */
function columns<T>(rows: readonly T[], cells: (row: T) => unknown[]): unknown[][] {
  const table = rows.map(cells);
  return table[0]!.map((_, column) => table.map((row) => row[column]));
}

function toView(row: StepRow): StepView {
  return {
    number: row.number,
    executionId: row.execution_id,
    taskId: row.task_id,
    title: row.title,
    phase: row.phase,
    state: row.state,
    node: row.node,
    attempt: row.attempt,
    cached: row.cached,
    exitCode: row.exit_code,
    end: row.ended,
    logBytes: row.log_bytes,
    durationMs: row.duration_ms,
    startedAt: row.started_at.toISOString(),
    finishedAt: row.finished_at?.toISOString() ?? null,
  };
}
