import { cacheLimitLabel } from '../contracts/node.ts';
import { parseSize } from '../contracts/size.ts';

/** Bytes that the cache of a node may take up: by its label, else what is set for every node; undefined leaves it to the size of its disk. */
export function cacheLimitOf(labels: Record<string, string>, forAll: number | undefined): number | undefined {
  return parseSize(labels[cacheLimitLabel] ?? '') ?? forAll;
}
