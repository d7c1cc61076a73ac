import type { Spending } from '../contracts/agent.ts';
import { isFinalJobStatus } from '../contracts/derived.ts';
import { jobStatusSchema } from '../contracts/job.ts';
import { HelixError } from '../contracts/error.ts';
import type { ModelCallResult } from '../contracts/workflow.ts';
import type { Queryable } from './database.ts';
import { toJsonb } from './json.ts';

export interface ModelCall {
  callId: string;
  jobId: string;
  /** Workflow id of the agent's turn. */
  turn: string;
  model: string;
}

/** What an attempt can cost at most. */
export interface MostCost {
  usd: number;
  tokens: number;
}

/** What is on record of a call: its result when it has ended, and all that the attempts sent so far could cost. */
export async function findModelCall(
  database: Queryable,
  callId: string,
): Promise<{ sentUsd: number; sentTokens: number; result?: ModelCallResult } | undefined> {
  const { rows } = await database.query<{ sent_usd: number; sent_tokens: number; result: ModelCallResult | null }>(
    'select sent_usd, sent_tokens, result from model_calls where call_id = $1',
    [callId],
  );
  const row = rows[0];
  return row && { sentUsd: row.sent_usd, sentTokens: row.sent_tokens, ...(row.result ? { result: row.result } : {}) };
}

/** Whether a call of the job has ended; undefined when it has no such call. A job that has ended has no call under way. */
export async function getModelCall(
  database: Queryable,
  jobId: string,
  callId: string,
): Promise<{ hasEnded: boolean } | undefined> {
  const { rows } = await database.query<{ has_ended: boolean }>(
    `select model_calls.finished_at is not null or model_calls.closed_at is not null or jobs.status = any($3) as has_ended
     from model_calls join jobs using (job_id) where job_id = $1 and call_id = $2`,
    [jobId, callId, jobStatusSchema.options.filter(isFinalJobStatus)],
  );
  return rows[0] && { hasEnded: rows[0].has_ended };
}

/** Records that an attempt is being sent, before it is. Throws `job.wrong-state` for a call that was closed. */
export async function recordSent(database: Queryable, call: ModelCall, most: MostCost): Promise<void> {
  const { rowCount } = await database.query(
    `insert into model_calls (call_id, job_id, turn, model, sent, sent_usd, sent_tokens) values ($1, $2, $3, $4, 1, $5, $6)
     on conflict (call_id) do update set model = excluded.model, sent = model_calls.sent + 1,
       sent_usd = model_calls.sent_usd + excluded.sent_usd, sent_tokens = model_calls.sent_tokens + excluded.sent_tokens
     where model_calls.closed_at is null`,
    [call.callId, call.jobId, call.turn, call.model, most.usd, most.tokens],
  );
  if (rowCount === 0)
    throw new HelixError('job.wrong-state', `nobody waits for the call ${call.callId} of ${call.model} any more`);
}

/** Closes a call, which may never have got as far as being recorded, so that none of its attempts is sent from now on. Returns what it cost at most. */
export async function closeModelCall(database: Queryable, call: Omit<ModelCall, 'model'>): Promise<Spending> {
  const { rows } = await database.query<SpentRow>(
    `insert into model_calls (call_id, job_id, turn, model, closed_at) values ($1, $2, $3, '', now())
     on conflict (call_id) do update set closed_at = coalesce(model_calls.closed_at, now())
     returning ${spentColumns}`,
    [call.callId, call.jobId, call.turn],
  );
  return spentOn(rows);
}

/** Closes all calls on record of a workflow and of those below it. Returns what they cost at most. */
export async function closeModelCallsOf(database: Queryable, jobId: string, workflowId: string): Promise<Spending> {
  const { rows } = await database.query<SpentRow>(
    `update model_calls set closed_at = coalesce(closed_at, now())
     where job_id = $1 and (turn = $2 or starts_with(turn, $2 || '/'))
     returning ${spentColumns}`,
    [jobId, workflowId],
  );
  return spentOn(rows);
}

interface SpentRow {
  finished: boolean;
  input_tokens: number | null;
  output_tokens: number | null;
  cache_read_tokens: number | null;
  usd: number | null;
  sent_usd: number;
  sent_tokens: number;
  active_ms: number;
}

const spentColumns = `finished_at is not null as finished, input_tokens, output_tokens, cache_read_tokens, usd, sent_usd, sent_tokens,
  case when sent > 0 then (extract(epoch from coalesce(finished_at, closed_at) - started_at) * 1000)::bigint else 0 end as active_ms`;

/** An answer costs what it cost, a call without one all that its attempts could. */
function spentOn(rows: readonly SpentRow[]): Spending {
  const answered = rows.filter(({ finished }) => finished);
  const lost = rows.filter(({ finished }) => !finished);
  const sum = <Row>(of: readonly Row[], value: (row: Row) => number | null): number =>
    of.reduce((total, row) => total + (value(row) ?? 0), 0);
  return {
    calls: answered.length,
    inputTokens: sum(answered, (row) => row.input_tokens),
    outputTokens: sum(answered, (row) => row.output_tokens) + sum(lost, (row) => row.sent_tokens),
    cacheReadTokens: sum(answered, (row) => row.cache_read_tokens),
    usd: sum(answered, (row) => row.usd) + sum(lost, (row) => row.sent_usd),
    activeMs: sum(rows, (row) => row.active_ms),
  };
}

/** Takes back what `recordSent` wrote, when the provider refused the attempt: it cost nothing. */
export async function recordRefused(database: Queryable, callId: string, most: MostCost): Promise<void> {
  await database.query(
    `update model_calls set sent = sent - 1, sent_usd = sent_usd - $2, sent_tokens = sent_tokens - $3 where call_id = $1`,
    [callId, most.usd, most.tokens],
  );
}

/** Records the answer, which then stands for every later attempt. `usd` is null when the model's price is not known. */
export async function recordAnswered(
  database: Queryable,
  callId: string,
  result: Extract<ModelCallResult, { kind: 'answer' }>,
  usd: number | null,
): Promise<void> {
  const { inputTokens, outputTokens, cacheReadTokens } = result.spent;
  await database.query(
    `update model_calls set result = $2, input_tokens = $3, output_tokens = $4, cache_read_tokens = $5, usd = $6,
       finished_at = now()
     where call_id = $1`,
    [callId, toJsonb(result), inputTokens, outputTokens, cacheReadTokens, usd],
  );
}
