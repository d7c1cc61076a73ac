create table nodes (
  name text primary key,
  -- Null for the controller's own machine.
  ssh jsonb,
  host_key text,
  slots integer not null,
  labels jsonb not null,
  facts jsonb not null,
  state text not null,
  reason text,
  probed_at timestamptz not null
);

-- Capability classes that some step has asked for: each is a task queue the node pool serves.
create table capability_classes (
  name text primary key,
  demanded_at timestamptz not null default now()
);
