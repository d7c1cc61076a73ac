import type { NodeRecord } from '../../contracts/node.ts';

/** Says on stderr which of the named nodes are on a machine that other nodes are on too: each fills it as if it were alone. */
export function warnOfSharedMachines(nodes: readonly NodeRecord[], names: readonly string[]): void {
  const machines = Map.groupBy(nodes, ({ facts }) => facts.machine?.id);
  machines.delete(undefined);
  for (const sharing of machines.values()) {
    const added = sharing.filter(({ name }) => names.includes(name)).map(({ name }) => name);
    const [first, ...others] = [...added, ...sharing.map(({ name }) => name).filter((name) => !added.includes(name))];
    if (added.length === 0 || others.length === 0) continue;
    const slots = sharing.reduce((sum, node) => sum + node.slots, 0);
    process.stderr.write(
      `note: ${first} is on the same machine as ${others.join(', ')}; together they run ${slots} steps at once there\n`,
    );
  }
}
