-- What all processes that call a provider have to know together of it.
create table llm_providers (
  name text primary key,
  -- The circuit: faults in a row, and from how many on nobody asks before `open_until`, when one call is let through.
  faults integer not null default 0,
  open_until timestamptz,
  reason text,
  -- The limit of tokens: a bucket that holds a minute's worth and fills evenly. Below zero are those who wait for their turn.
  tokens double precision,
  tokens_at timestamptz
);
