import { execFile } from 'node:child_process';
import { availableParallelism, totalmem } from 'node:os';
import { promisify } from 'node:util';
import type { LocalHardware } from '../../contracts/local-model.ts';
import type { NodeFacts } from '../../contracts/node.ts';
import { memoryLimit } from './free-memory.ts';

/** What a node was detected to have. */
export function hardwareOfNode({ os, arch, cpus, memory, gpus }: NodeFacts): LocalHardware {
  const cards = gpus.flatMap((gpu) => (gpu.vendor === 'apple' ? [] : (gpu.memory ?? [])));
  return {
    cpus,
    memoryBytes: memory,
    ...(cards.length === 0 ? {} : { gpuMemoryBytes: Math.max(...cards) }),
    unifiedMemory: isUnified(os, arch),
  };
}

/** This machine, with the memory of its largest graphics card where NVIDIA's tool tells it. */
export async function thisMachine(): Promise<LocalHardware> {
  const gpuMemoryBytes = await largestCard();
  return {
    cpus: availableParallelism(),
    memoryBytes: Math.min(totalmem(), memoryLimit()),
    ...(gpuMemoryBytes === undefined ? {} : { gpuMemoryBytes }),
    unifiedMemory: isUnified(process.platform, process.arch),
  };
}

function isUnified(os: string, arch: string): boolean {
  return os === 'darwin' && arch === 'arm64';
}

async function largestCard(): Promise<number | undefined> {
  const query = ['--query-gpu=memory.total', '--format=csv,noheader,nounits'];
  const asked = await promisify(execFile)('nvidia-smi', query, { timeout: 5_000 }).catch(() => undefined);
  const sizes = (asked?.stdout ?? '')
    .split('\n')
    .map(Number)
    .filter((mebibytes) => mebibytes > 0);
  return sizes.length === 0 ? undefined : Math.max(...sizes) * 2 ** 20;
}
