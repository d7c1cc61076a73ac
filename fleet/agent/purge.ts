import { existsSync, readdirSync } from 'node:fs';
import { readdir, rm, rmdir } from 'node:fs/promises';
import { join } from 'node:path';
import { HelixError } from '../../contracts/error.ts';
import { ledgerName } from './cache-ledger.ts';
import { hasCode, type Layout, readIfThere } from './layout.ts';
import { commands } from './platform/commands.ts';
import { host } from './platform/host.ts';

/** All that Helix keeps in its folder on a node. What else lies there is somebody else's. */
const own = ['executions', 'projects', 'layers', 'tenures', 'bin', 'join', ledgerName];

/**
 * Ends what runs and removes everything that Helix has brought to the machine or made there. Returns what is left in the node's folder because
 * it is not Helix's; the folder itself goes when nothing is.
 */
export async function purge(layout: Layout, graceMs: number): Promise<string[]> {
  const executions = await readdir(layout.executions).catch(() => []);
  await Promise.all(
    executions.flatMap((id) =>
      [undefined, ...leadersOf(layout, id)].map((leader) =>
        commands.endProcesses(layout.execution(id), leader, graceMs),
      ),
    ),
  );
  for (const name of own) await removeTree(join(layout.root, name));
  try {
    await rmdir(layout.root);
  } catch (error) {
    if (!hasCode(error, 'ENOTEMPTY', 'EEXIST')) throw error;
    return await readdir(layout.root);
  }
  return [];
}

/** The processes that lead the groups of commands which have not ended: where there is no /proc, all that can be found. */
function leadersOf(layout: Layout, id: string): number[] {
  const folder = layout.execution(id);
  return readdirSync(folder)
    .filter((name) => name.startsWith('run-') && !existsSync(join(folder, name, 'exit')))
    .map((name) => Number.parseInt(readIfThere(join(folder, name, 'pid')) ?? '', 10))
    .filter((pid) => pid > 1);
}

/** Caches of some tools (Go's modules) are made of folders that cannot be written. */
async function removeTree(path: string): Promise<void> {
  const options = { recursive: true, force: true, maxRetries: 3 };
  try {
    await rm(path, options);
  } catch (error) {
    if (!hasCode(error, 'EACCES', 'EPERM', 'EBUSY')) throw error;
    await host.makeRemovable(path);
    await rm(path, options).catch((refusal: NodeJS.ErrnoException) => {
      const words = `${refusal.path ?? path} cannot be removed (${refusal.code}): end the programs that use it, and purge again`;
      throw new HelixError('node.unsuitable', words, { cause: refusal });
    });
  }
}
