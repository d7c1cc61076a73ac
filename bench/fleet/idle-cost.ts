import { freemem } from 'node:os';
import { setTimeout as delay } from 'node:timers/promises';
import { processTree } from '../processes.ts';
import type { BenchRow } from '../row.ts';
import { withFleetController } from './controller.ts';

/** Those for which the machine has no room are left out, and it is said. */
const allSizes = [10, 100, 300];
/** Bytes that a node takes on the machine that stands for all of them. */
const nodeBytes = 60 << 20;
const settleMs = 30_000;
const watchedMs = 60_000;
const megabyte = 1024 * 1024;

/** What an idle node costs the process that keeps its connection: memory and processor time beyond those of the stack without it. */
export async function benchFleetIdleCost(): Promise<BenchRow[]> {
  const sizes = allSizes.filter((size) => size * nodeBytes < freemem());
  for (const size of allSizes.filter((one) => !sizes.includes(one)))
    console.error(`  ${size} nodes are left out: there is no memory for them`);
  return await withFleetController(sizes.at(-1)!, async (fleet) => {
    const alone = await watch(fleet.pids.helix);
    const rows: BenchRow[] = [];
    let there = 0;
    for (const size of sizes) {
      await fleet.addMachines(there, size);
      there = size;
      const now = await watch(fleet.pids.helix);
      rows.push(
        {
          name: `memory of the Helix process for each of ${size} idle nodes`,
          ours: (now.megabytes - alone.megabytes) / size,
          unit: 'MB',
          target: '<= 3 MB',
        },
        {
          name: `processor for each of ${size} idle nodes`,
          ours: ((now.cores - alone.cores) / size) * 100,
          unit: '% of a core',
          target: '<= 0.05%',
        },
      );
      console.error(`  ${size} nodes: ${now.megabytes.toFixed(0)} MB, ${(now.cores * 100).toFixed(1)}% of a core`);
    }
    return rows;
  });
}

/** Of the process itself, after it has come to rest. */
async function watch(pid: number): Promise<{ megabytes: number; cores: number }> {
  const of = async () => (await processTree([pid])).find((entry) => entry.pid === pid)!;
  await delay(settleMs);
  const before = await of();
  await delay(watchedMs);
  const after = await of();
  return { megabytes: after.rss / megabyte, cores: (after.ownCpu - before.ownCpu) / (watchedMs / 1000) };
}
