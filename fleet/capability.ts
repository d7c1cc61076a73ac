import { type ClassAtom, type ClassView, formatAtom, parseCapabilityClass } from '../contracts/capability-class.ts';
import type { NodeFacts } from '../contracts/node.ts';
import type { Resources } from '../contracts/step.ts';
import { describeSize } from '../contracts/size.ts';
import { missingResources } from './placement/resources.ts';

/** What of a node decides which classes it serves. */
export interface Capable {
  name: string;
  facts: NodeFacts;
  labels: Record<string, string>;
}

/**
 * Whether a node has everything the atoms ask for.
 *
 * A bare name is an operating system, a distribution, a C library, an architecture, a program found on the node, `gpu`, `any`, or a label that
 * is there (whatever its value). Comparisons are of sizes, numbers or versions: of a program, a distribution, a C library or a
 * kernel. `NAME=VALUE` is a label, `libc=musl`, `gpu=nvidia`, or else a version's prefix by whole parts (`node=22`). What is not known of a node
 * satisfies no comparison. The controller's own machine carries the label `controller=true` and so serves `controller`.
 */
export function satisfies(facts: NodeFacts, labels: Record<string, string>, atoms: ClassAtom[]): boolean {
  return atoms.every((atom) => satisfiesAtom(facts, labels, atom));
}

/** What a class asks for that a node lacks, atom by atom; empty when it serves the class. */
export function missing({ facts, labels }: Capable, atoms: ClassAtom[]): string[] {
  return atoms.filter((atom) => !satisfiesAtom(facts, labels, atom)).map((atom) => describeLack(facts, labels, atom));
}

/** A sentence for a user whose step nobody serves: which part of the class is missing where. */
export function explainUnserved(capabilityClass: string, nodes: Capable[], resources?: Resources): string {
  if (nodes.length === 0)
    return `no node is registered that could serve "${capabilityClass}": add one with "helix nodes add"`;
  const atoms = parseCapabilityClass(capabilityClass);
  const reasons = nodes.map((node) => {
    const lacks = [...missing(node, atoms), ...missingResources(node.facts, resources)];
    return lacks.length === 0
      ? `${node.name} would serve it but is not healthy`
      : `${node.name} lacks ${lacks.join(' and ')}`;
  });
  return `no healthy node serves "${capabilityClass}": ${reasons.join('; ')}`;
}

/** Who serves a class, given by its canonical text, and what the others lack. */
export function describeClass(
  capabilityClass: string,
  asked: boolean,
  nodes: (Capable & { state: string; reason?: string | undefined })[],
): ClassView {
  const atoms = parseCapabilityClass(capabilityClass);
  const view: ClassView = { class: capabilityClass, asked, serving: [], others: [] };
  for (const node of nodes) {
    const lacks = missing(node, atoms);
    const { name, state, reason } = node;
    if (lacks.length > 0) view.others.push({ node: name, lacks });
    else view.serving.push({ node: name, state, ...(reason ? { reason } : {}) });
  }
  return view;
}

function satisfiesAtom(facts: NodeFacts, labels: Record<string, string>, atom: ClassAtom): boolean {
  const { name, operator, value = '' } = atom;
  if (operator === undefined) return isThere(facts, labels, name) !== (atom.negated === true);
  if (atom.amount !== undefined) {
    const amount = amountOf(facts, name);
    return amount !== undefined && compares(amount - atom.amount, operator);
  }
  if (operator === '=') return equals(facts, labels, name, value);
  const version = versionOf(facts, name);
  return version !== undefined && version !== '' && compares(compareVersions(version, value), operator);
}

function isThere(facts: NodeFacts, labels: Record<string, string>, name: string): boolean {
  if (name === 'any') return true;
  if (name === 'gpu') return facts.gpus.length > 0;
  return name === facts.arch || versionOf(facts, name) !== undefined || Object.hasOwn(labels, name);
}

function equals(facts: NodeFacts, labels: Record<string, string>, name: string, value: string): boolean {
  if (Object.hasOwn(labels, name)) return labels[name] === value;
  if (name === 'libc') return facts.libc?.name === value;
  if (name === 'gpu') return facts.gpus.some(({ vendor }) => vendor === value);
  const version = versionOf(facts, name);
  return version !== undefined && (version === value || version.startsWith(`${value}.`));
}

/** Of a program, or of what the machine runs; empty when it is there and its version is not known. */
function versionOf({ os, kernel, release, libc, tools }: NodeFacts, name: string): string | undefined {
  if (Object.hasOwn(tools, name)) return tools[name];
  if (name === os) return kernel ?? '';
  if (name === release?.id) return release.version;
  return name === libc?.name ? libc.version : undefined;
}

function amountOf(facts: NodeFacts, name: string): number | undefined {
  switch (name) {
    case 'memory':
      return facts.memory;
    case 'disk':
      return facts.diskFree;
    case 'cpus':
      return facts.cpus;
    case 'gpu':
      return facts.gpus.length;
    default: {
      // The memory of one GPU: work on a GPU rarely spreads over several.
      const memories = facts.gpus.flatMap(({ memory }) => (memory === undefined ? [] : [memory]));
      return memories.length === 0 ? undefined : Math.max(...memories);
    }
  }
}

function describeLack(facts: NodeFacts, labels: Record<string, string>, atom: ClassAtom): string {
  const has = atom.negated ? 'it has one' : describeValue(facts, labels, atom);
  return `${formatAtom(atom)}${has === undefined ? '' : ` (${has})`}`;
}

function describeValue(facts: NodeFacts, labels: Record<string, string>, atom: ClassAtom): string | undefined {
  const { name, operator } = atom;
  if (operator === undefined) return undefined;
  if (atom.amount !== undefined) {
    const amount = amountOf(facts, name);
    if (amount === undefined) return undefined;
    return `it has ${name === 'cpus' || name === 'gpu' ? amount : describeSize(amount)}`;
  }
  if (operator === '=' && Object.hasOwn(labels, name)) return `it has ${name}=${labels[name]}`;
  if (name === 'libc' && facts.libc) return `it has ${facts.libc.name}`;
  const version = versionOf(facts, name);
  if (version === undefined) return undefined;
  return version === '' ? 'it does not say its version' : `it has ${version}`;
}

function compares(difference: number, operator: NonNullable<ClassAtom['operator']>): boolean {
  switch (operator) {
    case '>=':
      return difference >= 0;
    case '>':
      return difference > 0;
    case '<=':
      return difference <= 0;
    case '<':
      return difference < 0;
    case '=':
      return difference === 0;
  }
}

/** Compares dotted numbers; a missing or unreadable part counts as 0. */
function compareVersions(left: string, right: string): number {
  const [a, b] = [left, right].map((text) => text.split(/[.+_-]/).map((part) => Number.parseInt(part, 10) || 0));
  for (let index = 0; index < Math.max(a!.length, b!.length); index += 1) {
    const difference = (a![index] ?? 0) - (b![index] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}
