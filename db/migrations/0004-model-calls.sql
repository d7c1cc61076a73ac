-- Calls of language models. A call that has ended is never made again: a later attempt of its activity finds the answer here.
create table model_calls (
  call_id text primary key,
  job_id text not null references jobs on delete cascade,
  turn text not null,
  model text not null,
  -- Attempts that were sent to the provider, with all that they could cost: one that never came back may have cost that.
  sent integer not null default 0,
  sent_usd double precision not null default 0,
  sent_tokens bigint not null default 0,
  result jsonb,
  input_tokens bigint,
  output_tokens bigint,
  cache_read_tokens bigint,
  usd double precision,
  started_at timestamptz not null default now(),
  finished_at timestamptz
);
create index model_calls_job on model_calls (job_id);
