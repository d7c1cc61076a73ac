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

/** What is on record of a call: its result when it has ended, and how often it was sent before. */
export async function findModelCall(
  database: Queryable,
  callId: string,
): Promise<{ sent: number; result?: ModelCallResult } | undefined> {
  const { rows } = await database.query<{ sent: number; result: ModelCallResult | null }>(
    'select sent, result from model_calls where call_id = $1',
    [callId],
  );
  const row = rows[0];
  return row && { sent: row.sent, ...(row.result ? { result: row.result } : {}) };
}

/** Records that the call is being sent, before it is. */
export async function recordSent(database: Queryable, call: ModelCall): Promise<void> {
  await database.query(
    `insert into model_calls (call_id, job_id, turn, model, sent) values ($1, $2, $3, $4, 1)
     on conflict (call_id) do update set sent = model_calls.sent + 1, model = excluded.model`,
    [call.callId, call.jobId, call.turn, call.model],
  );
}

/** Takes back what `recordSent` wrote, when the provider refused the call: it cost nothing. */
export async function recordRefused(database: Queryable, callId: string): Promise<void> {
  await database.query('update model_calls set sent = sent - 1 where call_id = $1', [callId]);
}

/** Records the answer, which then stands for every later attempt. */
export async function recordAnswered(
  database: Queryable,
  callId: string,
  result: Extract<ModelCallResult, { kind: 'answer' }>,
): Promise<void> {
  const { inputTokens, outputTokens, cacheReadTokens, usd } = result.spent;
  await database.query(
    `update model_calls set result = $2, input_tokens = $3, output_tokens = $4, cache_read_tokens = $5, usd = $6,
       finished_at = now()
     where call_id = $1`,
    [callId, toJsonb(result), inputTokens, outputTokens, cacheReadTokens, usd],
  );
}
