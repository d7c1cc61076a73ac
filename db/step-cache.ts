import type { StepResult } from '../contracts/step.ts';
import type { Queryable } from './database.ts';
import { toJsonb } from './json.ts';

/** The results kept under these keys. */
export async function lookupSteps(database: Queryable, keys: readonly string[]): Promise<Map<string, StepResult>> {
  if (keys.length === 0) return new Map();
  const { rows } = await database.query<{ key: string; result: StepResult }>(
    'select key, result from step_cache where key = any($1)',
    [keys],
  );
  return new Map(rows.map(({ key, result }) => [key, result]));
}

/** Keeps a result; the last one kept under a key counts. */
export async function storeStep(database: Queryable, key: string, project: string, result: StepResult): Promise<void> {
  await database.query(
    `insert into step_cache (key, project, result) values ($1, $2, $3)
     on conflict (key) do update set result = excluded.result, stored_at = now()`,
    [key, project, toJsonb(result)],
  );
}

/** Forgets a result, for instance when its snapshot or its log is no longer there. */
export async function deleteStep(database: Queryable, key: string): Promise<void> {
  await database.query('delete from step_cache where key = $1', [key]);
}
