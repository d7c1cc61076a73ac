import { open } from 'node:fs/promises';
import type { GgufFacts } from '../../contracts/local-model.ts';
import { HelixError } from '../../contracts/error.ts';
import { GgufReader, type GgufValue } from './gguf-reader.ts';
import { fileTypes } from './quantization.ts';

/**
 * What a GGUF file says of itself in its header; the weights are not read.
 * Throws `usage.invalid` when the file cannot be read or is no GGUF.
 */
export async function readGguf(path: string): Promise<GgufFacts> {
  const file = await open(path).catch((error: unknown) => {
    throw new HelixError('usage.invalid', `the model ${path} cannot be read: ${(error as Error).message}`, {
      cause: error,
    });
  });
  try {
    return factsOf(await new GgufReader(file).metadata());
  } catch (error) {
    if (error instanceof HelixError) throw error;
    throw new HelixError('usage.invalid', `${path} is no GGUF model: ${(error as Error).message}`, { cause: error });
  } finally {
    await file.close();
  }
}

function factsOf(metadata: Map<string, GgufValue>): GgufFacts {
  const text = (key: string): string | undefined => {
    const value = metadata.get(key);
    return typeof value === 'string' && value !== '' ? value : undefined;
  };
  const architecture = text('general.architecture');
  if (architecture === undefined) throw new Error('it names no architecture');
  const number = (key: string): number | undefined => {
    const value = metadata.get(key);
    return typeof value === 'number' && value > 0 ? value : undefined;
  };
  const own = (key: string): number | undefined => number(`${architecture}.${key}`);
  const quantization = fileTypes[metadata.get('general.file_type') as number];
  const template = text('tokenizer.chat_template') ?? '';
  const parameters = number('general.parameter_count') ?? parametersOf(text('general.size_label'));
  const name = text('general.name');
  const contextTokens = own('context_length');
  return {
    architecture,
    ...(name === undefined ? {} : { name }),
    ...(parameters === undefined ? {} : { parameters }),
    ...(quantization === undefined ? {} : { quantization }),
    ...(contextTokens === undefined ? {} : { contextTokens }),
    cacheBytesPerToken: cacheBytesPerToken(metadata, architecture),
    thinking: /<think>|<\|channel\|>|\[THINK\]|enable_thinking/.test(template),
  };
}

/** Keys and values of every layer; heads are one number, or one for each layer. */
function cacheBytesPerToken(metadata: Map<string, GgufValue>, architecture: string): number {
  const value = (key: string): GgufValue | undefined => metadata.get(`${architecture}.${key}`);
  const one = (key: string): number => Number(value(key) ?? 0);
  const layers = one('block_count');
  const heads = value('attention.head_count_kv') ?? value('attention.head_count') ?? 0;
  const perLayer = Array.isArray(heads) ? heads.map(Number) : Array.from({ length: layers }, () => Number(heads));
  const queryHeads = value('attention.head_count');
  const mostHeads = Math.max(1, ...(Array.isArray(queryHeads) ? queryHeads.map(Number) : [Number(queryHeads ?? 1)]));
  const width = one('embedding_length') / mostHeads;
  const keyLength = one('attention.key_length') || width;
  const valueLength = one('attention.value_length') || width;
  const bytesOfHalf = 2;
  return Math.round(perLayer.reduce((sum, count) => sum + count, 0) * (keyLength + valueLength) * bytesOfHalf);
}

/** `7B`, `0.5B`, `8x7B`, `135M`. */
function parametersOf(label: string | undefined): number | undefined {
  const [, experts, count, unit] = /^(?:(\d+)x)?(\d+(?:\.\d+)?)([KMBT])\b/i.exec(label ?? '') ?? [];
  if (count === undefined || unit === undefined) return undefined;
  const scale = { K: 1e3, M: 1e6, B: 1e9, T: 1e12 }[unit.toUpperCase()] ?? 1;
  return Number(experts ?? 1) * Number(count) * scale;
}
