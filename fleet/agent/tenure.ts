import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { readIfThere, writeAtomically, type Layout } from './layout.ts';
import type { Tenure } from './protocol.ts';

/** Remembers to which node-pool the node belongs, unless it knows of a later one. */
export function adoptTenure(layout: Layout, { registration, epoch }: Tenure): void {
  if (epoch <= latestEpoch(layout, registration)) return;
  mkdirSync(join(layout.root, 'tenures'), { recursive: true });
  writeAtomically(tenureFile(layout, registration), `${epoch}\n`);
}

/** Whether the node belongs to another node-pool by now. */
export function isOver(layout: Layout, tenure: Tenure | undefined): boolean {
  return tenure !== undefined && tenure.epoch < latestEpoch(layout, tenure.registration);
}

function latestEpoch(layout: Layout, registration: string): number {
  return Number.parseInt(readIfThere(tenureFile(layout, registration)) ?? '', 10) || 0;
}

function tenureFile(layout: Layout, registration: string): string {
  return join(layout.root, 'tenures', registration);
}
