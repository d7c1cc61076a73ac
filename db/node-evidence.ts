import type { Queryable } from './database.ts';
import { storableText } from './json.ts';

export interface Evidence {
  node: string;
  /** What it is about: pieces about the same thing count once. */
  subject: string;
  detail: string;
}

/** How long a failure is remembered for another node to pass the same step. */
const failuresFor = "interval '1 hour'";

export async function noteEvidence(database: Queryable, { node, subject, detail }: Evidence): Promise<void> {
  await database.query(
    'insert into node_evidence (node, subject, detail) select $1, $2, $3 where exists (select from nodes where name = $1)',
    [node, subject, storableText(detail)],
  );
}

/** A step failed on a node: that says something about the node only if another one passes it. */
export async function noteFailure(database: Queryable, { node, subject, detail }: Evidence): Promise<void> {
  await database.query(
    `insert into step_failures (step, node, detail) select $1, $2, $3 where exists (select from nodes where name = $2)
     on conflict (step, node) do update set at = now(), detail = excluded.detail`,
    [subject, node, storableText(detail)],
  );
}

/** A step passed on a node: speaks against those that have failed it lately. Gives their names. */
export async function notePass(database: Queryable, node: string, step: string): Promise<string[]> {
  const { rows } = await database.query<{ node: string }>(
    `with failed as (delete from step_failures where step = $1 returning node, detail, at)
     insert into node_evidence (node, subject, detail)
     select node, $1, detail || ', which passed on ' || $2 from failed
     where node <> $2 and at > now() - ${failuresFor}
     returning node`,
    [step, node],
  );
  return rows.map((row) => row.node);
}

/** What speaks against a node since so many milliseconds, one piece for each thing, the newest first. */
export async function listEvidence(database: Queryable, node: string, sinceMs: number): Promise<string[]> {
  const { rows } = await database.query<{ detail: string }>(
    `select (array_agg(detail order by id desc))[1] as detail from node_evidence
     where node = $1 and at > now() - $2 * interval '1 ms'
     group by subject order by max(id) desc`,
    [node, sinceMs],
  );
  return rows.map(({ detail }) => detail);
}

/** What was held against a node counts no more. */
export async function clearEvidence(database: Queryable, node: string): Promise<void> {
  await database.query('delete from node_evidence where node = $1', [node]);
}

/** Drops what is too old to count. */
export async function dropOldEvidence(database: Queryable): Promise<void> {
  await database.query("delete from node_evidence where at < now() - interval '1 day'");
  await database.query(`delete from step_failures where at < now() - ${failuresFor}`);
}
