import { join } from 'node:path';
import { prepareSample } from '../examples/prepare-sample.ts';
import { startStack } from '../test/support/stack.ts';
import type { BenchRow } from './row.ts';

/** The sample's job twice: the second finds every step in the cache. */
export async function benchCachedRerun(): Promise<BenchRow[]> {
  const stack = await startStack();
  try {
    const repository = await prepareSample(join(stack.home, 'bench-sample'));
    const run = async (): Promise<number> => {
      const { code, result, stderr } = await stack.run(['--repo', repository, '--modes', 'planning,building,testing']);
      if (code !== 0) throw new Error(`the sample failed: ${JSON.stringify(result.reason)}\n${stderr}`);
      return result.durationMs;
    };
    const first = await run();
    const reruns: number[] = [];
    for (let round = 0; round < 5; round += 1) reruns.push(await run());
    const cached = reruns.sort((a, b) => a - b)[2]!;
    return [
      {
        name: 'sample: fully cached rerun against first run',
        ours: cached,
        peer: first,
        unit: 'ms',
        ratio: first / cached,
        target: '>= 20x faster',
      },
    ];
  } finally {
    await stack.down();
  }
}
