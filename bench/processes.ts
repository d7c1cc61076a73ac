import { readdir, readFile } from 'node:fs/promises';

const ticksPerSecond = 100;

interface ProcessTimes {
  pid: number;
  parent: number;
  /** CPU seconds of the process and of its children that it has waited for. */
  cpu: number;
  /** CPU seconds of the process alone. */
  ownCpu: number;
  /** Bytes. */
  rss: number;
}

/** What Linux knows of the processes that descend from `roots`, themselves included. */
export async function processTree(roots: number[]): Promise<ProcessTimes[]> {
  const all: ProcessTimes[] = [];
  for (const name of await readdir('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    const stat = await readFile(`/proc/${name}/stat`, 'utf8').catch(() => undefined);
    if (!stat) continue;
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    const seconds = (from: number, to: number): number =>
      fields.slice(from, to).reduce((sum, ticks) => sum + Number(ticks), 0) / ticksPerSecond;
    const [cpu, ownCpu] = [seconds(11, 15), seconds(11, 13)];
    all.push({ pid: Number(name), parent: Number(fields[1]), cpu, ownCpu, rss: Number(fields[21]) * 4096 });
  }
  const inTree = new Set(roots);
  for (let grown = true; grown;) {
    const before = inTree.size;
    for (const { pid, parent } of all) if (inTree.has(parent)) inTree.add(pid);
    grown = inTree.size > before;
  }
  return all.filter(({ pid }) => inTree.has(pid));
}

export async function cpuSeconds(roots: number[]): Promise<number> {
  return (await processTree(roots)).reduce((sum, { cpu }) => sum + cpu, 0);
}
