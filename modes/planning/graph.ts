import { compare } from './source-tree.ts';

/**
 * Removes the edges that close cycles, depth first in sorted order, so that the result is the same every time.
 * Edges in `weak` (say, development dependencies) are tried last and so are the first to go.
 */
export function breakCycles(
  edges: ReadonlyMap<string, readonly string[]>,
  weak: ReadonlyMap<string, readonly string[]> = new Map(),
): { edges: Map<string, string[]>; dropped: { from: string; to: string }[] } {
  const kept = new Map<string, string[]>([...edges.keys()].sort(compare).map((node) => [node, []]));
  const dropped: { from: string; to: string }[] = [];
  const add = (from: string, to: string): void => {
    if (!kept.has(to) || kept.get(from)?.includes(to)) return;
    if (from === to || reaches(kept, to, from)) {
      if (from !== to) dropped.push({ from, to });
      return;
    }
    kept.get(from)?.push(to);
  };
  const isWeak = (from: string, to: string): boolean => weak.get(from)?.includes(to) ?? false;
  const sorted = [...kept.keys()].flatMap((from) =>
    [...(edges.get(from) ?? [])].sort(compare).map((to) => ({ from, to })),
  );
  for (const { from, to } of sorted) if (!isWeak(from, to)) add(from, to);
  for (const { from, to } of sorted) if (isWeak(from, to)) add(from, to);
  for (const targets of kept.values()) targets.sort(compare);
  return { edges: kept, dropped };
}

/** Everything that a node needs, directly or not, dependencies before their dependents. Expects no cycles. */
export function closure(edges: ReadonlyMap<string, readonly string[]>, node: string): string[] {
  const seen = new Set<string>();
  const ordered: string[] = [];
  const visit = (at: string): void => {
    for (const next of edges.get(at) ?? []) {
      if (seen.has(next)) continue;
      seen.add(next);
      visit(next);
      ordered.push(next);
    }
  };
  visit(node);
  return ordered;
}

function reaches(edges: ReadonlyMap<string, readonly string[]>, from: string, to: string): boolean {
  const stack = [from];
  const seen = new Set<string>();
  for (let at = stack.pop(); at !== undefined; at = stack.pop()) {
    if (at === to) return true;
    if (seen.has(at)) continue;
    seen.add(at);
    stack.push(...(edges.get(at) ?? []));
  }
  return false;
}
