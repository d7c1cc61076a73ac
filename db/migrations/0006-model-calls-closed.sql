-- A call that nobody waits for any more is closed: what its attempts may have cost is settled, and no further one is sent.
alter table model_calls add column closed_at timestamptz;
