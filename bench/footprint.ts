import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { root, startStack, succeed } from '../test/support/stack.ts';
import { processTree } from './processes.ts';
import type { BenchRow } from './row.ts';

const megabyte = 1024 * 1024;

/** Memory of the idle stack, and the size of what an installation puts on disk. */
export async function benchFootprint(): Promise<BenchRow[]> {
  const stack = await startStack();
  try {
    await delay(10_000);
    const rows: BenchRow[] = [];
    for (const { name, pid } of await stack.status()) {
      if (pid === null) continue;
      const tree =
        name === 'supervisor'
          ? (await processTree([pid])).filter((entry) => entry.pid === pid)
          : await processTree([pid]);
      const rss = tree.reduce((sum, entry) => sum + entry.rss, 0) / megabyte;
      const main = (tree.find((entry) => entry.pid === pid)?.rss ?? 0) / megabyte;
      rows.push({
        name: `idle memory: ${name} (with its children: ${rss.toFixed(0)})`,
        ours: main,
        unit: 'MB',
        target: name === 'helix' ? '<= 300 MB' : '-',
      });
    }
    const size = Number((await succeed('du', ['-sm', join(root, 'node_modules')])).split('\t')[0]);
    rows.push({
      name: 'size of node_modules',
      ours: size,
      unit: 'MB',
      target: '<= 600 MB',
    });
    return rows;
  } finally {
    await stack.down();
  }
}
