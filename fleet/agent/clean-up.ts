import { existsSync, statSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { removeExecution } from './execution.ts';
import { dropAbandonedDrafts } from './layers.ts';
import type { Layout } from './layout.ts';
import { freeSlot } from './owner.ts';
import { namesIn, removedPrefix, removeLeftovers } from './set-aside.ts';

const dayMs = 24 * 60 * 60 * 1000;
const executionDays = 7;

/** Removes executions that nobody came back for within a week after they had ended, and what agents that died left half removed or half made. */
export async function cleanUp(layout: Layout): Promise<void> {
  const isOlder = (path: string, days: number): boolean =>
    Date.now() - (statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? Infinity) > days * dayMs;
  for (const executionId of namesIn(layout.executions)) {
    if (executionId.startsWith(removedPrefix)) continue;
    const folder = layout.execution(executionId);
    // The lease is touched as long as a controller is attached, and the watchdog ends whatever has none.
    const lease = join(folder, 'lease');
    if (isOlder(existsSync(lease) ? lease : folder, executionDays)) {
      freeSlot(layout, executionId);
      removeExecution(layout, executionId);
    } else if (existsSync(join(folder, 'result.json'))) {
      await rm(join(folder, 'tmp'), { recursive: true, force: true });
    }
  }
  const projects = join(layout.root, 'projects');
  const folders = namesIn(projects).flatMap((project) => [join(projects, project), layout.slots(project)]);
  for (const folder of [layout.executions, layout.layers, join(layout.root, 'bin'), projects, ...folders])
    await removeLeftovers(folder);
  await dropAbandonedDrafts(layout);
}
