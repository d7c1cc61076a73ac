import type { Fit, LocalHardware } from '../../contracts/local-model.ts';

/** What decides whether a model fits. */
export interface ModelSize {
  bytes: number;
  cacheBytesPerToken: number;
  contextTokens: number;
  /** Share of the weights that is read for one token: less than 1 for mixtures of experts. */
  activeShare?: number;
}

const GiB = 2 ** 30;

/** The system, and Helix itself, need some of the memory. */
const reservedBytes = 2 * GiB;
const reservedShare = 0.15;
/** An agent can do nothing with less. */
const leastContext = 4096;

/** llama.cpp's own working memory beside weights and cache: its compute buffers grow with both. */
export function neededBytes(size: Pick<ModelSize, 'bytes' | 'cacheBytesPerToken'>, contextTokens: number): number {
  const own = size.bytes + size.cacheBytesPerToken * contextTokens;
  return Math.round(own * 1.05 + Math.min(0.3 * GiB, own));
}

/** The most context that so much memory holds beside the weights. */
export function contextWithin(size: ModelSize, memoryBytes: number): number {
  if (neededBytes(size, 0) > memoryBytes) return 0;
  let [fits, tooMuch] = [0, size.contextTokens + 1];
  while (tooMuch - fits > 1) {
    const middle = Math.floor((fits + tooMuch) / 2);
    if (neededBytes(size, middle) <= memoryBytes) fits = middle;
    else tooMuch = middle;
  }
  return fits;
}

/** What a machine makes of a model: on the graphics card when it fits there, otherwise in the machine's memory. */
export function fit(size: ModelSize, hardware: LocalHardware): Fit {
  const gpu = hardware.gpuMemoryBytes ?? 0;
  const usable = usableBytes(hardware);
  const least = Math.min(leastContext, size.contextTokens);
  const onGpu = contextWithin(size, gpu * 0.92);
  if (onGpu >= least) return found(size, 'gpu', onGpu, bandwidth.card);
  const inMemory = contextWithin(size, usable);
  if (inMemory < least)
    return { where: 'nowhere', contextTokens: 0, neededBytes: neededBytes(size, least), tokensPerSecond: 0 };
  if (hardware.unifiedMemory) return found(size, 'gpu', inMemory, bandwidth.unified);
  const share = Math.min(1, gpu / neededBytes(size, inMemory));
  const cpu = bandwidthOfCpu(hardware.cpus);
  if (share < 0.1) return found(size, 'cpu', inMemory, cpu);
  return found(size, 'partly-gpu', inMemory, 1 / (share / bandwidth.card + (1 - share) / cpu));
}

/** Of the machine's memory, what a model may take. */
function usableBytes({ memoryBytes }: LocalHardware): number {
  return Math.max(0, memoryBytes - Math.max(reservedBytes, memoryBytes * reservedShare));
}

/** Bytes per second that memory of a class gives in practice. */
const bandwidth = { card: 350e9, unified: 120e9, server: 120e9, workstation: 55e9, desktop: 30e9, small: 15e9 };

/** How many channels of memory a machine has shows in how many processors it has. */
function bandwidthOfCpu(cpus: number): number {
  if (cpus >= 48) return bandwidth.server;
  if (cpus >= 24) return bandwidth.workstation;
  return cpus >= 6 ? bandwidth.desktop : bandwidth.small;
}

function found(size: ModelSize, where: Fit['where'], contextTokens: number, bytesPerSecond: number): Fit {
  const read = size.bytes * (size.activeShare ?? 1);
  return {
    where,
    contextTokens,
    neededBytes: neededBytes(size, contextTokens),
    tokensPerSecond: Math.round((bytesPerSecond / read) * 10) / 10,
  };
}
