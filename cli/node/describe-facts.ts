import type { Gpu, NodeFacts } from '../../contracts/node.ts';
import { describeSize } from '../../contracts/size.ts';
import { cleanLine } from '../text/clean.ts';

/** What a node has, one line for each. */
export function describeFacts(facts: NodeFacts): string {
  const { os, arch, kernel, release, libc, hostname, cpus, cpuModel, memory, diskFree, diskTotal, cache, gpus } = facts;
  const lines: [string, string | undefined][] = [
    ['host', hostname],
    ['system', [release?.name ?? os, kernel && `kernel ${kernel}`, libc && `${libc.name} ${libc.version}`].filter(Boolean).join(', ')], // prettier-ignore
    ['processor', `${cpus} x ${arch}${cpuModel ? ` (${cpuModel})` : ''}`],
    ['memory', describeSize(memory)],
    ['disk', `${describeSize(diskFree)} free${diskTotal ? ` of ${describeSize(diskTotal)}` : ''}`],
    ['cache', cache && `${describeSize(cache.bytes)} of ${describeSize(cache.limitBytes)}`],
    ['gpu', gpus.map(describeGpu).join(', ') || 'none'],
    ['latency', facts.latencyMs === undefined ? undefined : `${facts.latencyMs} ms`],
    ['tools', Object.entries(facts.tools).map(([name, version]) => `${name} ${version}`.trim()).join(', ')], // prettier-ignore
  ];
  return lines
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => `  ${name.padEnd(10)} ${cleanLine(value!)}\n`)
    .join('');
}

function describeGpu({ vendor, name, memory }: Gpu): string {
  return `${name ?? vendor}${memory ? ` (${describeSize(memory)})` : ''}`;
}
