import { createHash } from 'node:crypto';
import type { NodeFacts } from '../../contracts/node.ts';
import type { StepSpec } from '../../contracts/step.ts';

/**
 * The cache key of a step on a node with these facts: SHA-256 over everything that its result may depend on. What is part of it, and what is
 * not, is written in docs/step-cache.md. Change `version` with any change here.
 */
export function stepKey(spec: StepSpec, facts: Pick<NodeFacts, 'os' | 'arch' | 'libc' | 'tools' | 'machine'>): string {
  const version = 2;
  // A program that does not say its version may be another one on another machine.
  const unread = (tool: string): string[] => (facts.tools[tool] === '' ? [facts.machine?.id ?? ''] : []);
  const toolchain = [...spec.tools].sort().map((tool) => [tool, facts.tools[tool] ?? null, ...unread(tool)]);
  const parts = [
    version,
    spec.project,
    spec.snapshot,
    spec.inputs,
    spec.command.shell,
    spec.command.cwd,
    sortedEntries(spec.env),
    spec.layers.map((layer) => layer.key),
    [...spec.outputs].sort(),
    facts.os,
    facts.arch,
    facts.libc ? [facts.libc.name, facts.libc.version] : null,
    toolchain,
  ];
  return createHash('sha256').update(JSON.stringify(parts)).digest('hex');
}

function sortedEntries(record: Record<string, string>): [string, string][] {
  return Object.entries(record).sort(([a], [b]) => (a < b ? -1 : 1));
}
