/** One measurement; of a comparison the medians of both sides, and the median of the ratios of each round. */
export interface BenchRow {
  name: string;
  ours: number;
  peer?: number;
  unit: string;
  /** Ours to peer, except where `target` says otherwise. */
  ratio?: number;
  target: string;
}
