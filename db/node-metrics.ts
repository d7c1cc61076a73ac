import type { NodeMetrics } from '../contracts/node.ts';
import type { Database, Queryable } from './database.ts';

/** What a node said of itself at a moment. */
export type NodeSample = { node: string } & Pick<
  NodeMetrics,
  'at' | 'cpu' | 'load' | 'memoryFree' | 'diskFree' | 'latencyMs' | 'clockOffsetMs' | 'busy'
>;

export interface MetricsRow {
  at: Date | string;
  period: number;
  samples: number;
  cpu: number;
  cpu_max: number;
  load: number;
  load_max: number;
  memory_free: number;
  disk_free: number;
  latency_ms: number;
  latency_max_ms: number;
  clock_offset_ms: number;
  busy: number;
}

const minute = 60;
const hour = 3600;
const day = 24 * hour;

/** How long rows of each period are kept; seconds. */
const retention = [
  { period: 0, keep: hour },
  { period: minute, keep: day },
  { period: hour, keep: 30 * day },
];

/** Two processes must not condense at once: each would do all the work. */
const condensingLock = 7_405_129_302;

/** Adds samples in one statement. Those of nodes that are gone are left out; one that comes twice counts once. */
export async function insertSamples(database: Queryable, samples: readonly NodeSample[]): Promise<void> {
  if (samples.length === 0) return;
  const column = (name: keyof NodeSample) => samples.map((sample) => sample[name]);
  await database.query(
    `insert into worker_metrics (node, period, at, cpu, cpu_max, load, load_max, memory_free, disk_free,
       latency_ms, latency_max_ms, clock_offset_ms, busy)
     select node, 0, at, cpu, cpu, load, load, memory_free, disk_free, latency_ms, latency_ms, clock_offset_ms, busy
     from unnest($1::text[], $2::timestamptz[], $3::real[], $4::real[], $5::bigint[], $6::bigint[], $7::real[],
       $8::double precision[], $9::real[])
       as sample (node, at, cpu, load, memory_free, disk_free, latency_ms, clock_offset_ms, busy)
     where exists (select from nodes where name = node for key share)
     on conflict do nothing`,
    [
      column('node'),
      column('at'),
      column('cpu'),
      column('load'),
      column('memoryFree').map((bytes) => Math.round(bytes as number)),
      column('diskFree').map((bytes) => Math.round(bytes as number)),
      column('latencyMs'),
      column('clockOffsetMs'),
      column('busy'),
    ],
  );
}

/**
 * Makes rows of a minute out of samples and rows of an hour out of those, and drops what is older than is kept: samples after an hour, minutes
 * after a day, hours after 30 days. Only whole periods are condensed, so doing it again changes nothing; `now` is for tests.
 */
export async function condenseMetrics(database: Database, now = new Date()): Promise<void> {
  await database.transaction(async (transaction) => {
    const { rows } = await transaction.query<{ locked: boolean }>('select pg_try_advisory_xact_lock($1) as locked', [
      condensingLock,
    ]);
    if (!rows[0]!.locked) return;
    await condense(transaction, 0, minute, now);
    await condense(transaction, minute, hour, now);
    for (const { period, keep } of retention) {
      await transaction.query(
        `delete from worker_metrics where period = $1 and at < $2::timestamptz - $3 * interval '1 s'`,
        [period, now, keep],
      );
    }
  });
}

/** Looks ten periods back from the last that was made, for what was written late; samples come up to 15 s late as a rule. */
async function condense(database: Queryable, from: number, period: number, now: Date): Promise<void> {
  await database.query(
    `insert into worker_metrics
     select node, $2::integer, date_bin($2 * interval '1 s', at, 'epoch') as bucket, sum(samples),
       sum(cpu * samples) / sum(samples), max(cpu_max), sum(load * samples) / sum(samples), max(load_max),
       min(memory_free), min(disk_free), sum(latency_ms * samples) / sum(samples), max(latency_max_ms),
       sum(clock_offset_ms * samples) / sum(samples), sum(busy * samples) / sum(samples)
     from worker_metrics
     where period = $1 and at < date_bin($2 * interval '1 s', $3::timestamptz - interval '15 s', 'epoch')
       and at >= coalesce(
         (select max(at) - 10 * $2 * interval '1 s' from worker_metrics where period = $2::integer), '-infinity')
     group by node, bucket
     on conflict do nothing`,
    [from, period, now],
  );
}

/** The node's rows of a period since a moment, oldest first. */
export async function readMetrics(
  database: Queryable,
  node: string,
  period: number,
  since: Date,
): Promise<NodeMetrics[]> {
  const { rows } = await database.query<MetricsRow>(
    'select * from worker_metrics where node = $1 and period = $2 and at >= $3 order by at',
    [node, period, since],
  );
  return rows.map(toMetrics);
}

export function toMetrics(row: MetricsRow): NodeMetrics {
  return {
    at: new Date(row.at).toISOString(),
    period: row.period,
    samples: row.samples,
    cpu: row.cpu,
    cpuMax: row.cpu_max,
    load: row.load,
    loadMax: row.load_max,
    memoryFree: row.memory_free,
    diskFree: row.disk_free,
    latencyMs: row.latency_ms,
    latencyMaxMs: row.latency_max_ms,
    clockOffsetMs: row.clock_offset_ms,
    busy: row.busy,
  };
}
