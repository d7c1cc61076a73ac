import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { median } from './compare.ts';
import type { BenchRow } from './row.ts';

const launcher = join(import.meta.dirname, '..', 'helix');
const rounds = 30;

/** From `./helix --help` to its exit, against the least any program on Node needs. Medians of interleaved rounds, in ms. */
export async function benchCliStart(): Promise<BenchRow[]> {
  const help = () => timed(launcher, ['--help']);
  const nothing = () => timed(process.execPath, ['-e', '0']);
  // The first start compiles, and may even install.
  help();
  nothing();
  const pairs = Array.from({ length: rounds }, (_, round) => {
    if (round % 2 === 0) return { ours: help(), peer: nothing() };
    const peer = nothing();
    return { ours: help(), peer };
  });
  const target = '<= 150 ms';
  return [
    {
      name: 'cli: ./helix --help to exit, against node -e 0',
      ours: median(pairs.map(({ ours }) => ours)),
      peer: median(pairs.map(({ peer }) => peer)),
      unit: 'ms',
      ratio: median(pairs.map(({ ours, peer }) => ours / peer)),
      target,
    },
  ];
}

function timed(program: string, args: string[]): number {
  const startedAt = performance.now();
  execFileSync(program, args, { stdio: 'ignore' });
  return performance.now() - startedAt;
}
