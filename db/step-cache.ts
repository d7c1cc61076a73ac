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

/** Keeps results; the last one kept under a key counts. */
export async function storeSteps(
  database: Queryable,
  kept: readonly { key: string; project: string; result: StepResult }[],
): Promise<void> {
  if (kept.length === 0) return;
  // In the order of the keys, so that two who keep the same ones never wait for each other; a statement may write a key only once.
  const last = new Map(kept.map((one) => [one.key, one]));
  const ordered = [...last.values()].toSorted((a, b) => (a.key < b.key ? -1 : 1));
  await database.query(
    `insert into step_cache (key, project, result) select * from unnest($1::text[], $2::text[], $3::jsonb[])
     on conflict (key) do update set result = excluded.result, stored_at = now()`,
    [
      ordered.map(({ key }) => key),
      ordered.map(({ project }) => project),
      ordered.map(({ result }) => toJsonb(result)),
    ],
  );
}

/** Forgets a result, for instance when its snapshot or its log is no longer there. */
export async function deleteStep(database: Queryable, key: string): Promise<void> {
  await database.query('delete from step_cache where key = $1', [key]);
}
