create table step_cache (
  key text primary key,
  project text not null,
  result jsonb not null,
  stored_at timestamptz not null default now()
);
create index step_cache_project on step_cache (project);
