import { existsSync, readdirSync } from 'node:fs';
import { cpus, totalmem } from 'node:os';
import { join } from 'node:path';
import type { Gpu } from '../../contracts/node.ts';
import { readIfThere } from './layout.ts';
import { findProgram, type ProgramPlace, runProgram } from './run-program.ts';

const timeoutMs = 10_000;

/** GPUs that programs can compute on. `root` is where /dev, /proc and /sys are. */
export async function detectGpus(
  login: ProgramPlace,
  { platform, arch }: Pick<NodeJS.Process, 'platform' | 'arch'> = process,
  root = '/',
): Promise<Gpu[]> {
  if (platform === 'darwin') return arch === 'arm64' ? [appleGpu()] : [];
  return [...(await nvidiaGpus(login, root)), ...amdGpus(root)];
}

/** It is part of the processor and shares its memory. */
function appleGpu(): Gpu {
  const name = cpus()[0]?.model;
  return { vendor: 'apple', ...(name ? { name } : {}), memory: totalmem() };
}

/** As the driver's tool tells; where the tool is missing, as the driver's folder does. */
async function nvidiaGpus(login: ProgramPlace, root: string): Promise<Gpu[]> {
  if (findProgram('nvidia-smi', login.path) !== undefined) {
    const query = ['--query-gpu=name,memory.total', '--format=csv,noheader,nounits'];
    const { end, output } = await runProgram('nvidia-smi', query, login, timeoutMs);
    if (end === 'succeeded') return output.split('\n').flatMap(readNvidiaLine);
  }
  const folder = join(root, 'proc/driver/nvidia/gpus');
  return list(folder).map((entry) => {
    const name = /^Model:\s*(\S.*)$/m.exec(readIfThere(join(folder, entry, 'information')) ?? '')?.[1]?.trim();
    return { vendor: 'nvidia', ...(name ? { name } : {}) };
  });
}

/** `NVIDIA A100-SXM4-40GB, 40960`; the memory is `[N/A]` where it is the machine's own. */
function readNvidiaLine(line: string): Gpu[] {
  const [, name, mebibytes] = /^(\S[^,]*), *(\d+|\[.*\])\s*$/.exec(line) ?? [];
  if (name === undefined) return [];
  const memory = Number(mebibytes) * 2 ** 20;
  return [{ vendor: 'nvidia', name, ...(memory > 0 ? { memory } : {}) }];
}

/** Those that the kernel driver offers for computing, by their entries in /sys. */
function amdGpus(root: string): Gpu[] {
  if (!existsSync(join(root, 'dev/kfd'))) return [];
  const folder = join(root, 'sys/class/drm');
  return list(folder)
    .filter((entry) => /^card\d+$/.test(entry))
    .flatMap((entry): Gpu[] => {
      const read = (file: string): string => readIfThere(join(folder, entry, 'device', file))?.trim() ?? '';
      if (read('vendor') !== '0x1002') return [];
      const [name, memory] = [read('product_name'), Number(read('mem_info_vram_total'))];
      return [{ vendor: 'amd', ...(name ? { name } : {}), ...(memory > 0 ? { memory } : {}) }];
    });
}

function list(folder: string): string[] {
  try {
    return readdirSync(folder).sort();
  } catch {
    return [];
  }
}
