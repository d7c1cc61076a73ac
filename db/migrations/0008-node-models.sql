-- Models that were pulled to nodes; the files are there, and the truth with them.
create table node_models (
  node text not null references nodes on delete cascade,
  name text not null,
  model jsonb not null,
  primary key (node, name)
);
