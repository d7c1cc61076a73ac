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
  footprint: async () => (await import('./footprint.ts')).benchFootprint(),
};

const names = process.argv.length > 2 ? process.argv.slice(2) : Object.keys(benches);
const unknown = names.filter((name) => !Object.hasOwn(benches, name));
if (unknown.length > 0) {
  console.error(`unknown bench ${unknown.join(', ')}: the benches are ${Object.keys(benches).join(', ')}`);
  process.exit(2);
}

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
