import { existsSync, statSync } from 'node:fs';
import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { removedPrefix, removeExecution } from './execution.ts';
import { createLayout } from './layout.ts';
import { dropUnusedLayers } from './layers.ts';
import { freeSlot } from './owner.ts';

const dayMs = 24 * 60 * 60 * 1000;
const executionDays = 7;
const layerDays = 14;

/** Removes what nobody came back for: executions that ended a week ago, layers that no step has used for two weeks. */
export async function cleanUp(root: string): Promise<void> {
  const layout = createLayout(root);
  const isOlder = (path: string, days: number): boolean => Date.now() - statSync(path).mtimeMs > days * dayMs;
  for (const executionId of await readdir(layout.executions)) {
    if (executionId.startsWith(removedPrefix)) {
      await rm(layout.execution(executionId), { recursive: true, force: true });
      continue;
    }
    const folder = layout.execution(executionId);
    // The lease is touched as long as a controller is attached, and the watchdog ends whatever has none.
    const lease = join(folder, 'lease');
    if (!isOlder(existsSync(lease) ? lease : folder, executionDays)) continue;
    freeSlot(layout, executionId);
    removeExecution(layout, executionId);
  }
  await dropUnusedLayers(layout, (name) => isOlder(join(layout.layers, name), layerDays));
}
