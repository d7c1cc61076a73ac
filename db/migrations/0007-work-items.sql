-- Parts of the goal that agents carry out on their own, with their states, in the order of the plan.
alter table jobs add column items jsonb not null default '[]';
