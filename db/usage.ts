import type { UsageGroup, UsageReport, UsageRow, UsageTotal } from '../contracts/usage.ts';
import type { Queryable } from './database.ts';

/** What the job's event log says of a call when it is made. */
function ofAsking(what: string): string {
  return `(select ${what} from job_events asked where asked.job_id = calls.job_id and asked.key like calls.call_id || ':asked:%' limit 1)`;
}

/** What the calls are put together by, and what says more about it. */
const groups: Readonly<Record<UsageGroup, { key: string; title: string }>> = {
  model: { key: 'calls.model', title: 'null' },
  provider: { key: `split_part(calls.model, '/', 1)`, title: 'null' },
  project: { key: 'jobs.project', title: `jobs.request->'source'->>'location'` },
  job: { key: 'jobs.job_id', title: `coalesce(nullif(jobs.request->>'goal', ''), jobs.request->>'kind')` },
  agent: {
    key: 'calls.turn',
    title: ofAsking(`data->>'title'`),
  },
  call: {
    key: 'calls.call_id',
    title: `calls.model || coalesce(', ' || ${ofAsking(`coalesce(data->>'step', data->>'title')`)}, '')`,
  },
  user: { key: `coalesce(jobs.request->>'user', 'unknown')`, title: 'null' },
  day: { key: `to_char(calls.started_at at time zone 'UTC', 'YYYY-MM-DD')`, title: 'null' },
};

interface UsageFilter {
  by: UsageGroup;
  /** Calls begun from then on, ISO 8601. */
  since?: string | undefined;
  job?: string | undefined;
}

const counts: (keyof UsageTotal)[] = [
  'calls',
  'lostCalls',
  'inputTokens',
  'outputTokens',
  'cacheReadTokens',
  'usd',
  'unpricedCalls',
];

/** What calls of language models took. One that is under way is not counted yet; one given up counts with all that it could have cost. */
export async function readUsage(database: Queryable, { by, since, job }: UsageFilter): Promise<UsageReport> {
  const { key, title } = groups[by];
  const { rows } = await database.query<UsageRow & { usd: number }>(
    `with counted as (
       select ${key} as key, ${title} as title, calls.finished_at is not null as answered, calls.*
       from model_calls calls join jobs using (job_id)
       where (calls.finished_at is not null or (calls.closed_at is not null and calls.sent > 0))
         and ($1::timestamptz is null or calls.started_at >= $1) and ($2::text is null or calls.job_id = $2)
     )
     select key, max(title) as title,
       count(*) filter (where answered) as calls,
       count(*) filter (where not answered) as "lostCalls",
       coalesce(sum(input_tokens), 0)::bigint as "inputTokens",
       coalesce(sum(case when answered then output_tokens else sent_tokens end), 0)::bigint as "outputTokens",
       coalesce(sum(cache_read_tokens), 0)::bigint as "cacheReadTokens",
       coalesce(sum(case when answered then usd else sent_usd end), 0) as usd,
       count(*) filter (where answered and usd is null) as "unpricedCalls"
     from counted group by key
     order by ${by === 'day' || by === 'call' ? 'min(started_at), key' : 'usd desc, "inputTokens" desc, key'}`,
    [since ?? null, job ?? null],
  );
  const total = Object.fromEntries(
    counts.map((count) => [count, rows.reduce((sum, row) => sum + row[count], 0)]),
  ) as unknown as UsageTotal;
  return { rows, total };
}
