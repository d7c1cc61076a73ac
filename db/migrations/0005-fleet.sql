-- Processes that hold connections to nodes. One that does not renew its row in time has lost its nodes.
create table node_pools (
  id text primary key,
  -- Which machine, since which start of it, and which process there: whoever starts on the same machine sees whether the process still lives.
  machine text not null,
  pid integer not null,
  started_at timestamptz not null default now(),
  expires_at timestamptz not null
);

-- `state` and `reason` are what these parts come to.
alter table nodes
  add column condition jsonb not null default '{"state": "healthy"}',
  add column hold jsonb,
  add column quarantine jsonb,
  add column state_since timestamptz not null default now(),
  -- The node-pool that may connect to it and place steps on it, as long as that pool is alive.
  add column pool text,
  -- Counts changes of the pool: the node refuses new work from whoever comes with an older one.
  add column epoch bigint not null default 0,
  -- Sets a node that was removed and added again apart from what it was before.
  add column registration uuid not null default gen_random_uuid();

create table node_events (
  node text not null references nodes on delete cascade,
  id bigint generated always as identity,
  at timestamptz not null default now(),
  state text not null,
  reason text,
  primary key (node, id)
);

create table worker_metrics (
  node text not null references nodes on delete cascade,
  -- Seconds that a row stands for: 0 for one sample, 60 or 3600 for what was made of many.
  period integer not null,
  at timestamptz not null,
  samples integer not null default 1,
  cpu real not null,
  cpu_max real not null,
  load real not null,
  load_max real not null,
  memory_free bigint not null,
  disk_free bigint not null,
  latency_ms real not null,
  latency_max_ms real not null,
  clock_offset_ms double precision not null,
  busy real not null,
  primary key (node, period, at)
);
-- For retention.
create index worker_metrics_age on worker_metrics (period, at);

-- What speaks against a node, until it is put into quarantine for it.
create table node_evidence (
  id bigint generated always as identity primary key,
  node text not null references nodes on delete cascade,
  at timestamptz not null default now(),
  -- What it is about: pieces about the same thing count once.
  subject text not null,
  detail text not null
);
create index node_evidence_node on node_evidence (node, at);

-- Failures of steps that might pass elsewhere.
create table step_failures (
  step text not null,
  node text not null references nodes on delete cascade,
  at timestamptz not null default now(),
  detail text not null,
  primary key (step, node)
);
