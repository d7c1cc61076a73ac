-- Projections of jobs: the truth is in Temporal, a lost row can be rebuilt from there.
create table jobs (
  job_id text primary key,
  -- Order of insertion, and the cursor of the list of jobs.
  ordinal bigint generated always as identity unique,
  workflow_id text not null,
  project text not null,
  request jsonb not null,
  status text not null,
  phase text,
  checkpoints jsonb not null default '[]',
  result jsonb,
  web_url text,
  -- Highest sequence number given to an event, highest number given to a step. Both are advanced under the row's lock.
  last_seq integer not null default 0,
  last_step integer not null default 0,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now()
);

create table job_events (
  job_id text not null references jobs on delete cascade,
  seq integer not null,
  -- Chosen by whoever appends: a second append with the same key is the first one delivered again.
  key text not null,
  at timestamptz not null,
  data jsonb not null,
  primary key (job_id, seq),
  unique (job_id, key)
);

create table steps (
  execution_id text primary key,
  job_id text not null references jobs on delete cascade,
  number integer not null,
  task_id text not null,
  title text not null,
  phase text not null,
  state text not null,
  node text,
  attempt integer not null,
  cached boolean not null default false,
  exit_code integer,
  ended text,
  log_bytes bigint not null default 0,
  duration_ms bigint,
  -- The StepResult: the answer for a later attempt of the same execution.
  result jsonb,
  started_at timestamptz not null default now(),
  finished_at timestamptz,
  unique (job_id, number)
);
-- How many steps each node is busy with.
create index steps_running on steps (node) where state = 'running';
