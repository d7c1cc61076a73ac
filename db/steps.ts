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

/** Records that an attempt of a step runs on a node, and numbers the step within its job when it is new. */
export async function startStep(database: Queryable, step: StepStart): Promise<StepView> {
  return database.transaction(async (transaction) => {
    await introduce(transaction, step, 'running', step.node, step.attempt);
    await transaction.query(
      `update steps set state = 'running', node = $2, attempt = $3, started_at = now(), finished_at = null,
         cached = false, exit_code = null, ended = null, duration_ms = null, log_bytes = 0
       where execution_id = $1 and (attempt < $3 or state = 'waiting' or attempt = $3 and node is distinct from $2)`,
      [step.executionId, step.node, step.attempt],
    );
    return (await findStep(transaction, step.executionId))!.step;
  });
}

/** Records that a step waits for a node. A step that has ended stays as it is. */
export async function setWaiting(database: Queryable, step: StepIdentity): Promise<void> {
  await database.transaction(async (transaction) => {
    await introduce(transaction, step, 'waiting', null, 0);
    await transaction.query(
      `update steps set state = 'waiting', node = null where execution_id = $1 and state = 'running'`,
      [step.executionId],
    );
  });
}

/**
 * Records how a step ended. A step that has ended already stays as it is. With `step`, one that was never started (answered
 * from the cache, cancelled while it waited) is recorded too. Returns whether the step is known.
 */
export async function finishStep(
  database: Queryable,
  executionId: string,
  outcome: StepOutcome,
  step?: StepIdentity,
): Promise<boolean> {
  return database.transaction(async (transaction) => {
    if (step) await introduce(transaction, step, 'waiting', null, 1);
    const { rowCount } = await transaction.query(
      `update steps set
         state = case when finished_at is null then $2 else state end,
         node = case when finished_at is null then coalesce($3, node) else node end,
         cached = case when finished_at is null then $4 else cached end,
         exit_code = case when finished_at is null then $5::integer else exit_code end,
         ended = case when finished_at is null then $6 else ended end,
         log_bytes = case when finished_at is null then $7::bigint else log_bytes end,
         duration_ms = case when finished_at is null then $8::bigint else duration_ms end,
         result = case when finished_at is null then $9::jsonb else result end,
         finished_at = coalesce(finished_at, now())
       where execution_id = $1`,
      [
        executionId,
        outcome.state,
        outcome.node ?? null,
        outcome.cached ?? false,
        outcome.exitCode ?? null,
        outcome.end ?? null,
        outcome.logBytes ?? 0,
        outcome.durationMs ?? null,
        outcome.result ? toJsonb(outcome.result) : null,
      ],
    );
    return rowCount === 1;
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

/** Inserts the step with the next number of its job, unless it is known. */
async function introduce(
  transaction: Queryable,
  step: StepIdentity,
  state: 'waiting' | 'running',
  node: string | null,
  attempt: number,
): Promise<void> {
  const known = await transaction.query('select from steps where execution_id = $1', [step.executionId]);
  if (known.rows.length > 0) return;
  // The lock on the job comes in a statement of its own: the next one must see a step inserted while this one waited.
  await transaction.query('select from jobs where job_id = $1 for no key update', [step.jobId]);
  await transaction.query(
    `with numbered as (
       update jobs set last_step = last_step + 1
       where job_id = $1 and not exists (select from steps where execution_id = $2)
       returning last_step
     )
     insert into steps (job_id, execution_id, number, task_id, title, phase, state, node, attempt)
     select $1, $2, last_step, $3, $4, $5, $6, $7, $8 from numbered`,
    [step.jobId, step.executionId, step.taskId, storableText(step.title), step.phase, state, node, attempt],
  );
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
