import type { BenchRow } from './row.ts';

export interface Comparison {
  name: string;
  /** Both give what one run took, in milliseconds. */
  ours(): Promise<number>;
  peer(): Promise<number>;
  target: string;
  rounds: number;
  warmUps: number;
  /** Between the warm-up and the first round. */
  settle?(): Promise<unknown>;
}

/** Medians over interleaved rounds, in the order ABBA so that a drift of the machine hits both sides alike. */
export async function compare({ name, ours, peer, target, ...how }: Comparison): Promise<BenchRow> {
  for (let run = 0; run < how.warmUps; run += 1) {
    await ours();
    await peer();
  }
  await how.settle?.();
  const pairs: { ours: number; peer: number }[] = [];
  for (let round = 0; round < how.rounds; round += 1) {
    const [a, b, c, d] = [await ours(), await peer(), await peer(), await ours()];
    pairs.push({ ours: (a + d) / 2, peer: (b + c) / 2 });
  }
  return {
    name,
    ours: median(pairs.map((pair) => pair.ours)),
    peer: median(pairs.map((pair) => pair.peer)),
    unit: 'ms',
    ratio: median(pairs.map((pair) => pair.ours / pair.peer)),
    target,
  };
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((left, right) => left - right);
  const middle = Math.floor(sorted.length / 2);
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}
