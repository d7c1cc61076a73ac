import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { readIfThere, type Layout } from './layout.ts';
import { releaseSlot } from './slots.ts';

/** Who drives an execution, and for which project. */
export interface Owner {
  /** Process id. */
  agent: number;
  /** The controller's name for itself. */
  controller: string;
  project: string;
}

export function readOwner(layout: Layout, executionId: string): Owner | undefined {
  const [agent, controller, project] = (readIfThere(ownerFile(layout, executionId)) ?? '').trim().split(' ');
  return agent && controller && project ? { agent: Number(agent), controller, project } : undefined;
}

export function writeOwner(layout: Layout, executionId: string, { agent, controller, project }: Owner): void {
  writeFileSync(ownerFile(layout, executionId), `${agent} ${controller} ${project}\n`);
}

/** Frees the slot that an execution still holds, if any. */
export function freeSlot(layout: Layout, executionId: string): void {
  const owner = readOwner(layout, executionId);
  if (owner) releaseSlot(layout, owner.project, executionId);
}

function ownerFile(layout: Layout, executionId: string): string {
  return join(layout.execution(executionId), 'owner');
}
