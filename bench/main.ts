// npm run bench [-- NAME...]: ratios against what a user would use instead, each within one run.
import type { BenchRow } from './row.ts';

const benches: Record<string, () => Promise<BenchRow[]>> = {
  step: async () => (await import('./job-step.ts')).benchJobStep(),
  snapshot: async () => (await import('./snapshot.ts')).benchSnapshot(),
  ssh: async () => (await import('./ssh-step.ts')).benchSshStep(),
  rerun: async () => (await import('./cached-rerun.ts')).benchCachedRerun(),
  cli: async () => (await import('./cli-start.ts')).benchCliStart(),
  map: async () => (await import('./repository-map.ts')).benchRepositoryMap(),
  agent: async () => (await import('./agent-turn.ts')).benchAgentTurn(),
  models: async () => (await import('./model-call.ts')).benchModelCall(),
  'fleet-throughput': async () => (await import('./fleet/throughput.ts')).benchFleetThroughput(),
  'fleet-utilisation': async () => (await import('./fleet/utilisation.ts')).benchFleetUtilisation(),
  'fleet-idle': async () => (await import('./fleet/idle-cost.ts')).benchFleetIdleCost(),
  'fleet-file': async () => (await import('./fleet/one-file.ts')).benchFleetOneFile(),
  'fleet-failover': async () => (await import('./fleet/failover.ts')).benchFleetFailover(),
  footprint: async () => (await import('./footprint.ts')).benchFootprint(),
};

const all = Object.keys(benches);
/** Those of this name, or of this area: `fleet` stands for all whose names begin with `fleet-`. */
const named = (wanted: string): string[] => all.filter((name) => name === wanted || name.startsWith(`${wanted}-`));
const wanted = process.argv.slice(2);
const unknown = wanted.filter((name) => named(name).length === 0);
if (unknown.length > 0) {
  console.error(`unknown bench ${unknown.join(', ')}: the benches are ${all.join(', ')}`);
  process.exit(2);
}
const names = wanted.length > 0 ? wanted.flatMap(named) : all;

const rows: BenchRow[] = [];
for (const name of names) {
  console.error(`${name} ...`);
  rows.push(...(await benches[name]!()));
}
const format = (value: number | undefined): string => {
  if (value === undefined) return '-';
  return value >= 100 ? value.toFixed(0) : value.toPrecision(3);
};
console.table(
  rows.map(({ name, ours, peer, unit, ratio, target }) => ({
    what: name,
    ours: format(ours),
    peer: format(peer),
    unit,
    ratio: format(ratio),
    target,
  })),
);
process.exit(0);
