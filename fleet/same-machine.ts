import { HelixError } from '../contracts/error.ts';
import type { NodeFacts, NodeRecord } from '../contracts/node.ts';

/**
 * Throws `node.same-machine` when another node uses the very folder of the machine: its slots would be counted twice, and two nodes would
 * clear away each other's work. Nodes with folders of their own on one machine are allowed.
 */
export function refuseSecondName(name: string, facts: NodeFacts, records: readonly NodeRecord[]): void {
  const same = records.find((other) => other.name !== name && isSameFolder(other.facts, facts));
  if (!same) return;
  throw new HelixError(
    'node.same-machine',
    `${name} is the machine that is registered as ${same.name} (${facts.hostname}, with the same folder): use that node, remove it first with ` +
      `"helix nodes remove ${same.name}", or give this one a folder of its own with --root`,
    { details: { node: same.name } },
  );
}

function isSameFolder({ machine: one }: NodeFacts, { machine: other }: NodeFacts): boolean {
  return one !== undefined && one.id === other?.id && one.folder === other.folder;
}
