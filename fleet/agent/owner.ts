import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { hasRun } from './command-run.ts';
import { metFullDisk } from './disk-full.ts';
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

/**
 * Frees the slot that an execution still holds, if any. Where a command was at work and its end is not known, or the disk was full, nobody can
 * say what the files are that no snapshot holds: they go with it.
 */
export function freeSlot(layout: Layout, executionId: string): void {
  const owner = readOwner(layout, executionId);
  if (!owner) return;
  const folder = layout.execution(executionId);
  const isHalfDone = hasRun(folder) && !existsSync(join(folder, 'result.json'));
  releaseSlot(layout, owner.project, executionId, isHalfDone || metFullDisk(folder));
}

function ownerFile(layout: Layout, executionId: string): string {
  return join(layout.execution(executionId), 'owner');
}
