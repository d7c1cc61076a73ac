import type { Queryable } from './database.ts';

/** Faults in a row after which a provider is spared. */
const mostFaults = 3;
/** The first pause; it doubles with each further fault. */
const pauseMs = 2_000;
const longestPauseMs = 60_000;
/** A trial that was heard of neither way for this long is given up, and another may be made. */
const trialMs = 60_000;

/** `faults` in a row are on record. `isTrial`: it is the one call let through after a pause. Whoever is admitted reports with `reportWell` or `reportFault`. */
export type Admission =
  | { admitted: true; faults: number; isTrial: boolean }
  | { admitted: false; waitMs: number; faults: number; reason: string };

interface CircuitRow {
  name: string;
  faults: number;
  wait_ms: number | null;
  reason: string | null;
}

const circuitColumns = `name, faults, reason, (extract(epoch from open_until - clock_timestamp()) * 1000)::double precision as wait_ms`;

/** Asks to send a call to a provider. */
export async function admitCall(database: Queryable, provider: string): Promise<Admission> {
  const { rows } = await database.query<CircuitRow>(`select ${circuitColumns} from llm_providers where name = $1`, [
    provider,
  ]);
  const row = rows[0];
  if (!row || row.wait_ms === null) return { admitted: true, faults: row?.faults ?? 0, isTrial: false };
  if (row.wait_ms <= 0) {
    // Only one of those who ask at the same moment finds it so.
    const { rowCount } = await database.query(
      `update llm_providers set open_until = clock_timestamp() + $2 * interval '1 ms' where name = $1 and open_until <= clock_timestamp()`,
      [provider, trialMs],
    );
    if (rowCount === 1) return { admitted: true, faults: row.faults, isTrial: true };
  }
  return {
    admitted: false,
    waitMs: row.wait_ms > 0 ? Math.ceil(row.wait_ms) : pauseMs,
    faults: row.faults,
    reason: row.reason ?? '',
  };
}

/** The provider answered, be it with an error that is no fault of its own. */
export async function reportWell(database: Queryable, provider: string): Promise<void> {
  await database.query(`update llm_providers set faults = 0, open_until = null, reason = null where name = $1`, [
    provider,
  ]);
}

/** The provider itself failed; returns for how many milliseconds it is spared. Calls that were under way when its circuit opened say nothing new. */
export async function reportFault(
  database: Queryable,
  provider: string,
  reason: string,
  isTrial: boolean,
): Promise<number> {
  const { rows } = await database.query<CircuitRow>(
    `insert into llm_providers as known (name, faults, reason) values ($1, 1, $2)
     on conflict (name) do update set faults = known.faults + 1, reason = excluded.reason,
       open_until = case when known.faults + 1 >= $4 then clock_timestamp()
         + least($5 * power(2, least(known.faults + 1 - $4, 20)), $6) * interval '1 ms' end
     where $3 or known.open_until is null or known.open_until <= clock_timestamp()
     returning ${circuitColumns}`,
    [provider, reason.slice(0, 1_000), isTrial, mostFaults, pauseMs, longestPauseMs],
  );
  return Math.max(0, Math.ceil(rows[0]?.wait_ms ?? 0));
}

/** A trial ended before anything was known: another may be made. */
export async function abandonTrial(database: Queryable, provider: string): Promise<void> {
  await database.query(
    `update llm_providers set open_until = clock_timestamp() where name = $1 and open_until is not null`,
    [provider],
  );
}

export interface Circuit {
  provider: string;
  faults: number;
  /** Until the next trial; 0 when there may be one now. */
  waitMs: number;
  reason: string;
}

/** The circuits that are open, or wait for a trial. */
export async function openCircuits(database: Queryable): Promise<Circuit[]> {
  const { rows } = await database.query<CircuitRow>(
    `select ${circuitColumns} from llm_providers where open_until is not null order by name`,
  );
  return rows.map(({ name, faults, wait_ms, reason }) => ({
    provider: name,
    faults,
    waitMs: Math.max(0, Math.ceil(wait_ms ?? 0)),
    reason: reason ?? '',
  }));
}

/**
 * Takes tokens of a provider's minute, and says in how many milliseconds they are there: whoever has to wait has its place, and needs not ask again. A call
 * larger than a minute's worth goes when the bucket is full. A negative amount gives back.
 */
export async function takeTokens(
  database: Queryable,
  provider: string,
  amount: number,
  perMinute: number,
): Promise<number> {
  const { rows } = await database.query<{ tokens: number }>(
    `insert into llm_providers as known (name, tokens, tokens_at) values ($1, $3::double precision - $2, clock_timestamp())
     on conflict (name) do update set tokens = least($3::double precision, coalesce(known.tokens, $3)
         + $3 * extract(epoch from clock_timestamp() - coalesce(known.tokens_at, clock_timestamp())) / 60
       ) - $2, tokens_at = clock_timestamp()
     returning tokens`,
    [provider, amount, perMinute],
  );
  const missing = -(rows[0]!.tokens + Math.max(0, amount - perMinute));
  return missing > 0 ? Math.ceil((missing * 60_000) / perMinute) : 0;
}
