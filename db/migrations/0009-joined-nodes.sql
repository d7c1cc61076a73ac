-- How the controller comes to a node: it is its own machine, by SSH, or the machine connects to it.
alter table nodes add column reach text not null default 'ssh';
update nodes set reach = 'local' where ssh is null;

-- With each of these one machine may join. Secrets are not here: they follow from the id and a key that the controller keeps in a file.
create table join_tokens (
  id text primary key,
  name text,
  slots integer,
  labels jsonb not null default '{}',
  created_at timestamptz not null default now(),
  expires_at timestamptz not null,
  revoked_at timestamptz,
  used_at timestamptz,
  node text
);

-- Where the machines that join connect to, by the host that a node-pool runs on.
create table join_listeners (
  host text primary key,
  -- The port that was configured, and the one that was free: that one is kept, because machines know it.
  wanted integer not null,
  port integer not null,
  -- Under what the host may be found, without a port unless it has one of its own.
  addresses jsonb not null,
  -- The node-pool that listens, as long as it is alive.
  pool text
);
