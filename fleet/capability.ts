import { parseCapabilityClass, type ClassAtom } from '../contracts/capability-class.ts';
import type { NodeFacts } from '../contracts/node.ts';

/**
 * Whether a node has everything the atoms ask for.
 *
 * A bare name is an operating system, an architecture, a program found on the node, `gpu`, `any`, or a label that is there
 * (whatever its value). `NAME>=VERSION` compares a program's version, `NAME=VALUE` a label, or else a program's version as a prefix by
 * whole parts (`node=22`). The controller's own machine carries the label `controller=true` and so serves `controller`.
 */
export function satisfies(facts: NodeFacts, labels: Record<string, string>, atoms: ClassAtom[]): boolean {
  return atoms.every((atom) => satisfiesAtom(facts, labels, atom));
}

/** A sentence for a user whose step nobody serves: which part of the class is missing where. */
export function explainUnserved(
  capabilityClass: string,
  nodes: { name: string; facts: NodeFacts; labels: Record<string, string> }[],
): string {
  if (nodes.length === 0)
    return `no node is registered that could serve "${capabilityClass}": add one with "helix nodes add"`;
  const atoms = parseCapabilityClass(capabilityClass);
  const missing = nodes.map((node) => {
    const lacks = atoms
      .filter((atom) => !satisfiesAtom(node.facts, node.labels, atom))
      .map((atom) => lack(node.facts, atom));
    return lacks.length === 0
      ? `${node.name} would serve it but is not healthy`
      : `${node.name} lacks ${lacks.join(' and ')}`;
  });
  return `no healthy node serves "${capabilityClass}": ${missing.join('; ')}`;
}

function satisfiesAtom(facts: NodeFacts, labels: Record<string, string>, atom: ClassAtom): boolean {
  const { name, operator, value = '' } = atom;
  const version = Object.hasOwn(facts.tools, name) ? facts.tools[name] : undefined;
  if (operator === '>=') return version !== undefined && compareVersions(version, value) >= 0;
  if (operator === '=') {
    if (Object.hasOwn(labels, name)) return labels[name] === value;
    return version !== undefined && (version === value || version.startsWith(`${value}.`));
  }
  if (name === 'any') return true;
  if (name === 'gpu') return facts.gpus.length > 0;
  return name === facts.os || name === facts.arch || version !== undefined || Object.hasOwn(labels, name);
}

function lack(facts: NodeFacts, atom: ClassAtom): string {
  const wanted = `${atom.name}${atom.operator ?? ''}${atom.value ?? ''}`;
  const version = facts.tools[atom.name];
  return atom.operator === '>=' && version ? `${wanted} (it has ${version})` : wanted;
}

/** Compares dotted numbers; a missing or unreadable part counts as 0, so that an unknown version never satisfies a bound above 0. */
function compareVersions(left: string, right: string): number {
  const [a, b] = [left, right].map((text) => text.split(/[.+_-]/).map((part) => Number.parseInt(part, 10) || 0));
  for (let index = 0; index < Math.max(a!.length, b!.length); index += 1) {
    const difference = (a![index] ?? 0) - (b![index] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}
